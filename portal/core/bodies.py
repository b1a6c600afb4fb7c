"""The bound of a request's body, kept while it arrives.

Django looks at ``Content-Length`` alone: a body that is sent in chunks, or
that is longer than it says, would be read to its end first. It waits for ever
for one that comes byte by byte, and a disk that fills meanwhile is an error
of nobody's view.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from portal.core import storage
from portal.core.cause import new_request_id

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# for a person's browser, without the site's own layout: nothing of Django has run
_PAGE: Final = (
    '<!doctype html><html lang="en"><head><title>Not received</title>'
    '<meta name="viewport" content="width=device-width"></head>'
    "<body><main><h1>Not received</h1><p>{}</p>"
    "<p>Nothing was kept. Go back in the browser: what you typed is still in the form.</p></main></body></html>\n"
)


class TooLarge(Exception):
    """More has arrived than a request may have."""


class TooSlow(Exception):
    """A body has not arrived in its time."""


class BoundedBodies:
    """An ASGI application whose requests have at most ``most`` bytes; 413 for more.

    ``larger`` names addresses whose requests may have more, by regular
    expression. A body that takes longer than ``seconds`` is answered with 408,
    one that the disk has no room for with 503. Nothing of it is kept. A browser
    is answered with a page, anybody else in the API's words.
    """

    def __init__(
        self, application: Application, most: int, *, larger: Mapping[str, int] | None = None, seconds: float = 300
    ) -> None:
        self._application, self._most, self._seconds = application, most, seconds
        self._larger = [(re.compile(address), bound) for address, bound in (larger or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        most = next((bound for address, bound in self._larger if address.fullmatch(path)), self._most)
        too_large = f"A request has at most {most} bytes."
        if self._stated(scope) > most:
            await self._refuse(scope, send, 413, "too_large", too_large)
            return
        body = _Body(receive, most, self._seconds)
        answered = False

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._application(scope, body.receive, noted)
        except (TooLarge, TooSlow, OSError) as problem:
            if answered or not (body.refused or storage.is_full(problem)):
                raise
            if isinstance(problem, TooLarge):
                await self._refuse(scope, send, 413, "too_large", too_large)
            elif isinstance(problem, TooSlow):
                await self._refuse(scope, send, 408, "too_slow", f"A request arrives within {self._seconds:g} seconds.")
            else:
                await self._refuse(scope, send, 503, "storage_full", storage.FULL)

    def _stated(self, scope: Scope) -> int:
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        # The server refuses what is no number; int() would refuse thousands of digits.
        return int(stated[:18]) if stated.isdigit() else 0

    async def _refuse(self, scope: Scope, send: Send, status: int, code: str, message: str) -> None:
        request_id = new_request_id()
        error = {"code": code, "field": "", "message": message, "request_id": request_id}
        body, kind = json.dumps({"error": error}).encode(), "application/json"
        if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            body, kind = _PAGE.format(html.escape(message)).encode(), "text/html; charset=utf-8"
        headers = {
            "content-type": kind,
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "content-length": str(len(body)),
            "connection": "close",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-request-id": request_id,
        }
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})


class _Body:
    """What has arrived of one request. Once it is whole, the application may wait for its end as long as it likes."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most = receive, most
        self._until = asyncio.get_running_loop().time() + seconds
        self._arrived, self._whole, self.refused = 0, False, False

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(None if self._whole else self._until):
                message = await self._receive()
        except TimeoutError:
            self.refused = True
            raise TooSlow from None
        self._arrived += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._arrived > self._most:
            self.refused = True
            raise TooLarge
        return message
