"""The bound of a request's body, kept while it arrives.

Django looks at ``Content-Length`` alone: a body that is sent in chunks, or
that is longer than it says, would be read to its end first.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from portal.core.cause import new_request_id

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TooLarge(Exception):
    """More has arrived than a request may have."""


class BoundedBodies:
    """An ASGI application whose requests have at most ``most`` bytes; 413 for more."""

    def __init__(self, application: Application, most: int) -> None:
        self._application, self._most = application, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stated(scope) > self._most:
            await self._refuse(send)
            return
        arrived, answered = 0, False

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._most:
                raise TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._application(scope, counted, noted)
        except TooLarge:
            if answered:
                raise
            await self._refuse(send)

    def _stated(self, scope: Scope) -> int:
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        # The server refuses what is no number; int() would refuse thousands of digits.
        return int(stated[:18]) if stated.isdigit() else 0

    async def _refuse(self, send: Send) -> None:
        request_id = new_request_id()
        message = f"A request has at most {self._most} bytes."
        error = {"code": "too_large", "field": "", "message": message, "request_id": request_id}
        body = json.dumps({"error": error}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-request-id": request_id,
        }
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 413, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
