"""Sockets: exact origin, session, address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import path, re_path

from portal.live.consumer import live
from portal.live.sockets import Receive, Send

Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ExactOrigin:
    """Lets a handshake in whose one Origin equals one of ``settings.ORIGINS`` by scheme, host and port.

    Channels' own validator takes any port and scheme of an allowed host.
    """

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        sent = [value for name, value in scope["headers"] if name == b"origin"]
        origin = parse_origin(sent[0].decode("latin-1")) if len(sent) == 1 else None
        if origin is None or origin not in {parse_origin(allowed) for allowed in settings.ORIGINS}:
            await refuse(scope, receive, send)
            return
        await self._inner(scope, receive, send)


def parse_origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a serialised origin; ``None`` for what is none, such as ``null``."""
    try:
        parts = urlsplit(text)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port


async def refuse(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """403 at the handshake."""
    await receive()
    await send({"type": "websocket.close"})


_routes = [
    path("ws/live/", live),  # type: ignore[arg-type]
    re_path(r"", refuse),  # type: ignore[arg-type]
]
websocket_application = ExactOrigin(CookieMiddleware(URLRouter(_routes)))
