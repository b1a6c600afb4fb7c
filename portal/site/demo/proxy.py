"""A small proxy: one door on a port, processes behind it, a request to the one that has least to do.

A connection is a request: the service speaks HTTP/1.0 and closes after its
answer, or whoever asks goes on with the same process until one of them
closes. Nothing is sent twice: whatever a process has been given, it answers,
or the client sees that it did not. So a process is taken out first, then its
requests end, then it may be stopped. Or the proxy ``asks`` each process
whether it is ready, and gives nothing new to one that says no.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

PIECE_BYTES: Final = 65_536
MOST_CONNECTIONS: Final = 200
SILENT_SECONDS: Final = 10.0
ASK_PAUSE_SECONDS: Final = 0.2
ASK_SECONDS: Final = 1.0
_NOBODY: Final = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_NO_ANSWER: Final = b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@dataclass(eq=False)
class Backend:
    """A process behind the door, how many requests it has in hand, and whether it takes more."""

    port: int
    ready: bool = True
    busy: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()


class Proxy:
    def __init__(self, asks: str = "") -> None:
        self.backends: list[Backend] = []
        self._asks = asks
        self._asking: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.Task[None]] = set()

    async def open(self, port: int) -> None:
        """Listen on this port of 127.0.0.1, and on no other. Raises ``OSError`` where it is taken."""
        if self._port == port:
            return
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        if self._server is not None:
            self._server.close()
        self._server, self._port = server, port
        if self._asks and self._asking is None:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Hear from each process whether it is ready. One that answers late is left as it is: it may only be busy."""
        while True:
            await asyncio.gather(*(self._ask_one(backend) for backend in list(self.backends)))
            await asyncio.sleep(ASK_PAUSE_SECONDS)

    async def _ask_one(self, backend: Backend) -> None:
        with contextlib.suppress(TimeoutError):
            answer = await said(backend.port, self._asks)
            backend.ready = answer is not None and answer.startswith(b"HTTP/1.1 200")

    async def close(self) -> None:
        """Take no more, and let go of what is open."""
        if self._server is not None:
            self._server.close()
            self._server, self._port = None, 0
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def take_out(self, backend: Backend, seconds: float) -> None:
        """Give it nothing new, and return when it has answered all that it was given, or when the time is over."""
        self.backends.remove(backend)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(backend.idle.wait(), seconds)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            # Who says nothing is given to nobody: it would keep a process from its end.
            first = await asyncio.wait_for(reader.read(PIECE_BYTES), SILENT_SECONDS)
            if first:
                await self._pass_on(first, reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _pass_on(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = self._choose()
        if backend is None:
            writer.write(_NOBODY)
            return await writer.drain()
        backend.busy += 1
        backend.idle.clear()
        try:
            await _between(backend.port, first, reader, writer)
        finally:
            backend.busy -= 1
            if not backend.busy:
                backend.idle.set()

    def _choose(self) -> Backend | None:
        """The one with the least in hand; among equals, the one that waited longest."""
        able = [backend for backend in self.backends if backend.ready]
        if not able or len(self._open) > MOST_CONNECTIONS:
            return None
        chosen = min(able, key=lambda backend: backend.busy)
        self.backends.remove(chosen)
        self.backends.append(chosen)
        return chosen


async def _between(port: int, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until the process has closed."""
    try:
        answers, asks = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.write(_NO_ANSWER)
        return await writer.drain()
    asks.write(first)
    sending = asyncio.create_task(_pump(reader, asks))
    try:
        await _pump(answers, writer)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        asks.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE_BYTES):
        target.write(piece)
        await target.drain()


async def said(port: int, path: str) -> bytes | None:
    """How the answer to a GET begins; None where there is none. Raises ``TimeoutError`` where it is late."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        return await asyncio.wait_for(reader.read(64), ASK_SECONDS) or None
    except ConnectionError:
        return None
    finally:
        writer.close()
