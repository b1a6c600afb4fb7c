"""One open socket: its mailbox, and the pump that sends from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from portal.live.fanout import Mailbox
from portal.live.frames import Message
from portal.live.streams import Admission

Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

BAD_FRAMES: Final = 1003
FLOOD: Final = 1008
TOO_BIG: Final = 1009
TOO_SLOW: Final = 4008
SIGNED_OUT: Final = 4403
_LAST_WORD_SECONDS: Final = 1.0


class Socket(Mailbox):
    """A mailbox with a sender. ``admit_losses`` is called when it has room again after frames were lost."""

    __slots__ = (
        "_admit_losses",
        "_closing",
        "_drained",
        "_pump",
        "_send",
        "_wake",
        "follows",
        "sending_since",
        "session",
        "user",
    )

    def __init__(self, send: Send, session: str, user: Any, limit: int, admit_losses: Callable[[Socket], None]) -> None:
        super().__init__(limit)
        self.session = session
        self.user = user
        self.follows: dict[str, Admission] = {}
        self.sending_since: float | None = None
        self._send = send
        self._admit_losses = admit_losses
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._closing: int | None = None
        self._pump: asyncio.Task[None] | None = None

    def offer(self, stream: str, message: Message) -> None:
        super().offer(stream, message)
        self._wake.set()

    def push(self, message: Message) -> None:
        super().push(message)
        self._wake.set()

    async def say(self, message: Message) -> None:
        """Answer the client, after it took enough of what was said before: its own back pressure."""
        while self.crowded:
            self._drained.clear()
            await self._drained.wait()
        self.push(message)

    def end(self, code: int) -> None:
        """Close with ``code`` after the frames that wait."""
        self._closing = code
        self._wake.set()

    def cut(self, code: int) -> None:
        """Close with ``code`` now: what waits is dropped, a send that hangs is given up."""
        self.frames.clear()
        self.lost.clear()
        self.end(code)
        if self.sending_since is not None and self._pump is not None:
            self._pump.cancel()

    async def pump(self) -> None:
        """Send until the socket ends. One task per socket, so that none waits for another."""
        self._pump = asyncio.current_task()
        try:
            while self._closing is None or self.frames:
                await self._empty()
                if self.lost:
                    self._admit_losses(self)
                elif self._closing is None:
                    await self._wake.wait()
                    self._wake.clear()
        except asyncio.CancelledError:
            if self._closing is None:
                raise
        await self._close()

    async def _empty(self) -> None:
        while self.frames:
            message = self.frames.popleft()
            # A stamp instead of a timer for each frame: the hub looks at it every second.
            self.sending_since = time.monotonic()
            await self._send(message)
            self.sending_since = None
        self._drained.set()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_LAST_WORD_SECONDS):
                await self._send({"type": "websocket.close", "code": self._closing})
        except TimeoutError:
            # The client takes nothing, so no close frame gets out either, and the server would keep
            # the connection with its full buffer for as long as the client likes.
            transport = getattr(getattr(self._send, "__self__", None), "transport", None)
            if transport is not None:
                transport.abort()
