"""The bound of a request's body holds while it arrives, whatever its length was said to be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from portal.core.bodies import BoundedBodies

MOST = 1000


def ask(chunks: list[int], *, stated: bytes | None = None, reads: bool = True) -> tuple[int, bytes, int]:
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

    scope = {"type": "http", "headers": [(b"content-length", stated)] if stated is not None else []}
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


def test_a_length_that_is_understated_does_not_help() -> None:
    assert ask([MOST, MOST], stated=b"10")[0] == 413
