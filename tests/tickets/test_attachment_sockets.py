"""Files on their way through a running server: cut, dripped, killed, and whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from tests import factories
from tests.engines import children
from tests.engines.stack import Stack
from tests.engines.visitor import Visitor
from tests.tickets import build, pictures
from tickets.models import Attachment, Ticket

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]
SECONDS = 2


def made_world() -> factories.World:
    # The server knows no quick hash of the tests.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        return factories.world()


@dataclass(frozen=True)
class Site:
    stack: Stack
    ticket: Ticket
    visitor: Visitor

    @property
    def files(self) -> str:
        return f"/tickets/{self.ticket.key}/files/"


@pytest.fixture(scope="module")
def site(open_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Site]:
    with open_stack(UPLOAD_SECONDS=str(SECONDS)) as stack:
        ticket = build.ticket(made_world().mc)
        stack.web()
        visitor = Visitor(stack.base_url)
        visitor.sign_in("operator@example.org", factories.PASSWORD)
        visitor.get(f"/tickets/{ticket.key}/files/")
        yield Site(stack, ticket, visitor)


def on_disk() -> set[Path]:
    return {path for path in (Path(settings.DATA_DIR) / "attachments").rglob("*") if path.is_file()}


def cookies(site: Site) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in site.visitor.cookies)


def request(site: Site, content: bytes) -> bytes:
    """A whole upload, as bytes on a wire."""
    token = 'Content-Disposition: form-data; name="csrfmiddlewaretoken"', site.visitor.token.encode()
    file = 'Content-Disposition: form-data; name="file"; filename="wire.bin"', content
    form = pictures.multipart(token, file)
    head = [
        f"POST {site.files}attach/ HTTP/1.1",
        f"Host: 127.0.0.1:{site.stack.port}",
        f"Origin: {site.stack.base_url}",
        f"Cookie: {cookies(site)}",
        f"Content-Type: {form['content_type']}",
        f"Content-Length: {len(form['data'])}",
        "Connection: close",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + form["data"]


def connected(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.stack.port), timeout=30)


def first_line(wire: socket.socket) -> bytes:
    with wire.makefile("rb") as answer:
        return answer.readline()


def test_a_file_goes_in_and_comes_out_whole(site: Site) -> None:
    content = os.urandom(5_000_000)
    with connected(site) as wire:
        wire.sendall(request(site, content))
        assert first_line(wire).split()[1] == b"302"
    row = Attachment.objects.get(digest=hashlib.sha256(content).hexdigest())
    door = http.client.HTTPConnection("127.0.0.1", site.stack.port, timeout=30)
    door.request("GET", f"{site.files}{row.pk}/", headers={"Cookie": cookies(site)})
    answer = door.getresponse()
    assert answer.read() == content
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="wire.bin"'
    door.close()


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_u6_a_connection_that_is_cut_leaves_nothing(site: Site, share: float) -> None:
    before, rows = on_disk(), Attachment.objects.count()
    sent = request(site, os.urandom(3_000_000))
    with connected(site) as wire:
        wire.sendall(sent[: int(len(sent) * share)])
    # The server answers others, and has looked at the end of that one before.
    assert site.visitor.get(site.files).status == 200
    time.sleep(0.3)
    assert (on_disk(), Attachment.objects.count()) == (before, rows)


def test_u6_a_body_that_drips_is_given_up_and_leaves_nothing(site: Site) -> None:
    before, rows = on_disk(), Attachment.objects.count()
    sent = request(site, b"x" * 5000)
    began = time.monotonic()
    with connected(site) as wire:
        wire.sendall(sent[:-3000])
        wire.settimeout(1)
        answer = b""
        for byte in sent[-3000:]:
            wire.sendall(bytes([byte]))
            try:
                answer = wire.recv(100)
            except TimeoutError:
                continue
            break
    assert answer.split()[1] == b"408"
    assert time.monotonic() - began < SECONDS + 5
    assert (on_disk(), Attachment.objects.count()) == (before, rows)


def test_a_request_of_more_than_its_bound_is_413(site: Site) -> None:
    with connected(site) as wire:
        head = request(site, b"x").replace(b"Content-Length: ", b"Content-Length: 999999")
        wire.sendall(head)
        assert first_line(wire).split()[1] == b"413"


def test_a_server_that_is_killed_leaves_no_row_without_its_file(
    open_stack: Callable[..., AbstractContextManager[Stack]], engine: str
) -> None:
    pauses = (0.0, 0.01, 0.03, 0.06) if engine == "postgresql" else (0.02,)
    with open_stack() as stack:
        ticket = build.ticket(made_world().mc)
        for pause in pauses:
            web = stack.web()
            visitor = Visitor(stack.base_url)
            visitor.sign_in("operator@example.org", factories.PASSWORD)
            site = Site(stack, ticket, visitor)
            visitor.get(site.files)
            with connected(site) as wire:
                wire.sendall(request(site, os.urandom(4_000_000)))
                time.sleep(pause)
                web.kill()
            children.wait_for("the port", lambda: not stack.answers(), seconds=10)
        for row in Attachment.objects.all():
            path = Path(settings.DATA_DIR) / "attachments" / row.stored_as[:2] / row.stored_as
            assert hashlib.sha256(path.read_bytes()).hexdigest() == row.digest
