"""A body without an end, sent to the real server: refused while it arrives, and the memory stays flat."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engines.stack import Stack

pytestmark = pytest.mark.processes
MEGABYTE = 1 << 20


def memory(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return int(found[1]) * 1024


def send(port: int, headers: list[str], chunks: int, address: str = "/accounts/login/") -> tuple[bytes, int]:
    """Send up to that many megabytes; the answer, and how many were taken before it came."""
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        lines = [f"POST {address} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        piece = b"x" * MEGABYTE
        framed = b"%x\r\n%s\r\n" % (len(piece), piece) if "Transfer-Encoding: chunked" in headers else piece
        # The server may close while more is on its way.
        with contextlib.suppress(ConnectionError):
            for _ in range(chunks):
                connection.sendall(framed)
                sent += 1
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(4096)
    return answer, sent


@pytest.mark.parametrize(
    "headers",
    [["Transfer-Encoding: chunked"], [f"Content-Length: {1 << 30}"]],
    ids=["in chunks", "as long as it says"],
)
@pytest.mark.once  # refused before any engine is asked
def test_a_gigabyte_is_413_and_the_memory_is_flat(stack: Stack, headers: list[str], settings: Any) -> None:
    web = next((found for found in stack.running if found.name == "web"), None) or stack.web()
    before = memory(web.pid)
    answer, sent = send(stack.port, ["Content-Type: application/x-www-form-urlencoded", *headers], 200)
    assert answer.startswith(b"HTTP/1.1 413 ") or (not answer and sent < 200), answer[:200]
    assert memory(web.pid) - before < 40 * MEGABYTE
    assert stack.answers()


@pytest.mark.parametrize("address", ["/reviews/new/", "/admin/reviews/review/add/", "/reviews/elsewhere/"])
@pytest.mark.once
def test_a_form_of_a_document_is_read_to_its_end_to_say_what_holds_it(stack: Stack, address: str) -> None:
    """So that what was typed beside a long file is not lost; any other form is refused at eight megabytes."""
    if not any(found.name == "web" for found in stack.running):
        stack.web()
    headers = ["Content-Type: text/plain", "Connection: close", f"Content-Length: {10 * MEGABYTE}"]
    answer, _ = send(stack.port, headers, 10, address)
    assert (answer.startswith(b"HTTP/1.1 413 ") or not answer) == ("elsewhere" in address), answer[:200]
