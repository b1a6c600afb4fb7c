"""The bound of a request's body holds while it arrives, whatever its length was said to be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from portal.core.bodies import BoundedBodies

MOST = 1000


def ask(
    chunks: list[int], *, stated: bytes | None = None, reads: bool = True, accept: bytes = b"*/*"
) -> tuple[int, bytes, int]:
    """Status, body, and how many bytes the application got."""
    got = 0
    said: list[dict[str, Any]] = []
    messages = [
        {"type": "http.request", "body": b"x" * size, "more_body": n + 1 < len(chunks)} for n, size in enumerate(chunks)
    ]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal got
        more = reads
        while more:
            message = await receive()
            got += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    length = [(b"content-length", stated)] if stated is not None else []
    scope = {"type": "http", "headers": [(b"accept", accept), *length]}
    asyncio.run(BoundedBodies(application, MOST)(scope, receive, send))
    return said[0]["status"], said[1]["body"], got


@pytest.mark.parametrize("chunks", [[0], [MOST], [MOST - 1, 1], [1] * 1000])
def test_a_body_at_the_bound_is_read(chunks: list[int]) -> None:
    assert ask(chunks) == (200, b"read", sum(chunks))


@pytest.mark.parametrize("chunks", [[MOST + 1], [MOST, 1], [1] * 1001, [600] * 1000])
def test_one_byte_more_is_413_and_no_more_than_the_bound_was_taken(chunks: list[int]) -> None:
    status, body, got = ask(chunks)
    assert (status, json.loads(body)["error"]["code"]) == (413, "too_large")
    assert "1000 bytes" in json.loads(body)["error"]["message"]
    assert got <= MOST


def test_a_length_that_is_stated_too_large_is_refused_unread() -> None:
    for stated in (b"1001", b"9" * 5000):
        assert ask([1], stated=stated)[::2] == (413, 0)
    assert ask([MOST], stated=b"1000")[0] == 200


@pytest.mark.parametrize("stated", [b"1001", None], ids=["stated", "arriving"])
def test_a_person_is_not_refused_in_json(stated: bytes | None) -> None:
    status, body, _ = ask([MOST + 1], stated=stated, accept=b"text/html,*/*;q=0.8")
    page = body.decode()
    assert (status, page[:9]) == (413, "<!doctype")
    assert "1000 bytes" in page
    assert "Go back" in page


def test_a_length_that_is_understated_does_not_help() -> None:
    assert ask([MOST, MOST], stated=b"10")[0] == 413


class Slow:
    """A body that comes a byte a time, each after ``pause`` seconds; after it, nothing for ever."""

    def __init__(self, size: int, pause: float) -> None:
        self.left, self.pause, self.ends = size, pause, asyncio.Event()

    async def __call__(self) -> Any:
        if not self.left:
            await self.ends.wait()
        await asyncio.sleep(self.pause)
        self.left -= 1
        return {"type": "http.request", "body": b"x", "more_body": self.left > 0}


def answered(application: Any, receive: Any = None, *, path: str = "/", seconds: float = 5) -> tuple[int, str]:
    """Status and code of the answer."""
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def ask() -> None:
        bounded = BoundedBodies(application, MOST, larger={r"/files/\d+/": MOST + 5}, seconds=seconds)
        await bounded({"type": "http", "path": path, "headers": []}, receive or Slow(1, 0), send)

    asyncio.run(ask())
    return said[0]["status"], json.loads(said[1]["body"])["error"]["code"] if said[0]["status"] != 200 else ""


async def reads(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


def test_a_body_that_drips_is_given_up_and_nothing_of_it_is_kept() -> None:
    assert answered(reads, Slow(1000, 0.02), seconds=0.1) == (408, "too_slow")
    assert answered(reads, Slow(3, 0.001), seconds=5) == (200, "")


def test_a_request_that_is_whole_may_be_worked_on_for_as_long_as_it_takes() -> None:
    async def works(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        # What an application waits for beside its work: that the client goes away.
        gone = asyncio.ensure_future(receive())
        await asyncio.wait([gone], timeout=0.2)
        gone.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})

    assert answered(works, seconds=0.05) == (200, "")


def test_a_disk_without_room_for_a_body_is_503() -> None:
    async def full(scope: Any, receive: Any, send: Any) -> None:
        with open("/dev/full", "wb", buffering=0) as disk:
            disk.write((await receive())["body"])

    assert answered(full) == (503, "storage_full")


@pytest.mark.parametrize(
    ("path", "size", "status"), [("/files/7/", MOST + 5, 200), ("/files/7/", MOST + 6, 413), ("/files/", MOST + 1, 413)]
)
def test_an_address_for_files_has_a_bound_of_its_own(path: str, size: int, status: int) -> None:
    assert answered(reads, Slow(size, 0), path=path)[0] == status
