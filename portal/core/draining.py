"""A web process that was told to stop, and still answers: it says so, until whoever sends requests has heard it.

A proxy that never sends a request twice has to be told first and left alone
then: ``/readyz`` says no from ``begin`` on, every answer ends its connection,
and only after ``WEB_DRAIN_SECONDS`` nothing more is accepted.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from portal.core import limits

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_began: float | None = None


def begin() -> bool:
    """Whether there is a time to drain in. Called in the handler of a signal: it only sets a number."""
    global _began
    if not limits.value("WEB_DRAIN_SECONDS"):
        return False
    _began = time.monotonic()
    return True


def begun() -> bool:
    return _began is not None


def over() -> bool:
    """Whether it has been said for long enough."""
    return _began is not None and time.monotonic() - _began >= limits.value("WEB_DRAIN_SECONDS")


class Leaving:
    """Ends each connection with its answer while the process drains: the next one is made to somebody who stays."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return

        async def say(message: Any) -> None:
            # Asked when the answer begins, not when the request did: it may have taken longer than that.
            if begun() and message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*kept, (b"connection", b"close")]}
            await send(message)

        await self._inner(scope, receive, say)
