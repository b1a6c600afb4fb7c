"""The socket's door: who may open it, and what its client may say."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from django.conf import settings
from django.db import Error

from portal.core import limits
from portal.live import frames, hub, rights
from portal.live.frames import BadFrame, Follow, Unfollow
from portal.live.sockets import BAD_FRAMES, FLOOD, TOO_BIG, Receive, Send, Socket

log = logging.getLogger(__name__)


class Allowance:
    """How many frames a client may send: room for a page that follows all its streams anew, then a steady rate."""

    def __init__(self, burst: int, a_second: int) -> None:
        self._burst = self._left = float(burst)
        self._a_second = a_second
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._a_second)
        self._at = now
        self._left -= 1
        return self._left >= 0


async def live(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application of ``/ws/live/``.

    Not a Channels consumer: those open a layer channel per socket, and ask
    the one synchronous thread of the process before each message.
    """
    await receive()
    here = hub.here()
    key = scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
    try:
        user = (await here.doors.run(rights.people, {key})).get(key) if key else None
    except Error:
        await _answer(scope, send, 503)
        return
    if user is None:
        await _answer(scope, send, 403)
        return
    socket = here.open(send, key, user)
    if socket is None:
        await _answer(scope, send, 429)
        return
    try:
        await send({"type": "websocket.accept"})
        await _serve(here, socket, receive)
    finally:
        here.close(socket)


async def _answer(scope: dict[str, Any], send: Send, status: int) -> None:
    """Refuse the handshake; a server without the extension says 403 whatever the reason."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})


async def _serve(here: hub.Hub, socket: Socket, receive: Receive) -> None:
    """Run both directions until one ends; the other ends with it."""
    both = {asyncio.ensure_future(socket.pump()), asyncio.ensure_future(_listen(here, socket, receive))}
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        ended = await asyncio.gather(*both, return_exceptions=True)
    for result in ended:
        # OSError is how the server says that the client has gone while something was sent.
        if isinstance(result, Exception) and not isinstance(result, OSError):
            raise result


async def _listen(here: hub.Hub, socket: Socket, receive: Receive) -> None:
    """Obey the client until it leaves or misbehaves."""
    bad = 0
    allowance = Allowance(2 * limits.value("SOCKET_STREAMS") + 100, limits.value("SOCKET_RATE_FRAMES"))
    bad_allowed = limits.value("SOCKET_BAD_FRAMES")
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            await _obey(here, socket, _text(message), allowance)
        except BadFrame as problem:
            bad += 1
            await socket.say(frames.error(str(problem)))
            if bad > bad_allowed:
                await _end(socket, BAD_FRAMES)
        except Excess as excess:
            await socket.say(frames.error(str(excess)))
            await _end(socket, excess.code)


class Excess(Exception):
    """More than a client may send; closes the socket at once."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


async def _end(socket: Socket, code: int) -> None:
    """Let the pump send what waits and close; it ends both directions."""
    socket.end(code)
    await asyncio.Event().wait()


def _text(message: frames.Message) -> str:
    text: str | None = message.get("text")
    most = limits.value("SOCKET_FRAME_BYTES")
    if text is None:
        if len(message.get("bytes") or b"") > most:
            raise Excess("too_big", TOO_BIG)
        raise BadFrame("binary")
    if len(text) > most or len(text.encode()) > most:
        raise Excess("too_big", TOO_BIG)
    return text


async def _obey(here: hub.Hub, socket: Socket, text: str, allowance: Allowance) -> None:
    if not allowance.take():
        raise Excess("too_many_frames", FLOOD)
    frame = frames.read(text)
    if isinstance(frame, Follow):
        await here.follow(socket, frame)
    elif isinstance(frame, Unfollow):
        here.unfollow(socket, frame.stream)
    else:
        await socket.say(frames.PONG)
