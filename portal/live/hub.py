"""The hub: one per event loop. Reads streams once for all sockets, and fans out in memory.

Five tasks: the tailer looks at watched streams, the listener hears hints, the
reviewer looks at rights, the beat tells clients that they are live and ends
sockets that do not read; each socket's own pump sends. The database is asked
in two threads of the hub alone: one for the tailer, one for the doors.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from itertools import islice
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import Error

from portal.core import access, limits
from portal.live import frames, hints, rights, sources, streams
from portal.live.cursor import NO_STREAM, Cursor, resumes, same_life
from portal.live.fanout import Watch
from portal.live.frames import Follow
from portal.live.sockets import SIGNED_OUT, TOO_SLOW, Send, Socket
from portal.live.sources import News
from portal.live.threads import DatabaseThread

log = logging.getLogger(__name__)

COALESCE_SECONDS: Final = 0.05
DERIVE_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 5.0
STUCK_SECONDS: Final = 5.0
SCOPES_A_REVIEW: Final = 20


class Hub:
    def __init__(self) -> None:
        self.sockets: set[Socket] = set()
        self.watched: dict[str, Watch] = {}
        self._open_of: Counter[int] = Counter()
        self.doors = DatabaseThread("live-doors")
        self._tail_thread = DatabaseThread("live-tail")
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._dirty: set[str] = set()
        self._look_at_all = True
        self._derive_at = 0.0
        self._poll_at = 0.0
        self._more = False
        self._asked_at: float | None = None
        self._away = False
        self._scopes_seen = 0
        # A page of rows fits beside what waits already: a reader that keeps up loses nothing to a burst.
        self._page = max(1, limits.value("SOCKET_QUEUE_FRAMES") // 2)

    # Sockets ---------------------------------------------------------------

    def open(self, send: Send, session: str, user: Any) -> Socket | None:
        """Take in a socket whose person was identified; None where that person has as many as one may."""
        if self._open_of[user.pk] >= limits.value("USER_SOCKETS"):
            return None
        if not self._tasks:
            self._start()
        socket = Socket(send, session, user, limits.value("SOCKET_QUEUE_FRAMES"), self._admit_losses)
        self.sockets.add(socket)
        self._open_of[user.pk] += 1
        socket.push(frames.DELAYED if self.away else frames.BEAT)
        return socket

    def close(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        self._open_of[socket.user.pk] -= 1
        if not self._open_of[socket.user.pk]:
            del self._open_of[socket.user.pk]
        for name in list(socket.follows):
            self.unfollow(socket, name)

    async def follow(self, socket: Socket, wanted: Follow) -> None:
        """Bring the socket up to date on a stream, and keep it so."""
        name = wanted.stream
        self.unfollow(socket, name)
        if len(socket.follows) >= limits.value("SOCKET_STREAMS"):
            await socket.say(frames.error("too_many_streams", name))
            return
        admission, reached = await self._catch_up(socket, wanted)
        if admission is None:
            await socket.say(frames.error("not_found", name))
            return
        # From here to the end nothing waits, so that no row falls between replay and fan-out.
        if socket not in self.sockets:
            return
        watch = self.watched.get(name)
        if watch is None:
            watch = self.watched[name] = Watch(name, reached)
            self._hinted((name,))
        socket.follows[name] = admission
        watch.join(socket, reached)

    def unfollow(self, socket: Socket, name: str) -> None:
        socket.follows.pop(name, None)
        watch = self.watched.get(name)
        if watch is not None:
            watch.leave(socket)
            if not watch.readers:
                del self.watched[name]

    async def _catch_up(self, socket: Socket, wanted: Follow) -> tuple[streams.Admission | None, Cursor]:
        """Admit and replay. While the database is away the client waits for its answer, and is told why."""
        while True:
            try:
                admission = await self._admission(socket, wanted.stream)
                if admission is None:
                    return None, NO_STREAM.now
                return admission, await self._replay(socket, admission.kind.source, wanted)
            except Error as problem:
                self._lost_database(problem)
                await asyncio.sleep(1)

    async def _admission(self, socket: Socket, name: str) -> streams.Admission | None:
        def admit() -> streams.Admission | None:
            found = streams.admit(socket.user, name)
            if found is None and streams.kind_of(name):
                # The roles on hand are some seconds old, and this page may have been opened by a newer one.
                fresh = rights.people([socket.session]).get(socket.session)
                found = streams.admit(fresh, name) if fresh is not None else None
            return found

        return await self.doors.run(admit)

    async def _replay(self, socket: Socket, source: sources.Source, wanted: Follow) -> Cursor:
        """Say where the reader is and send what it missed; answers how far it is when the fan-out may take over."""
        name = wanted.stream
        at = await self.doors.run(source.position, name)
        have = at.now if wanted.cursor is None else wanted.cursor
        if resumes(have, at):
            have = Cursor(at.epoch, have.number)
            await socket.say(frames.following(name, have))
        else:
            have = at.now
            await socket.say(frames.resync(name, have))
        while not isinstance(source, sources.Derived):
            watch = self.watched.get(name)
            if watch is not None and not same_life(watch.cursor, have):
                # One of us saw the stream's former life. The watch finds out by itself; its readers go with it.
                have = watch.cursor
                await socket.say(frames.resync(name, have))
                continue
            goal = watch.cursor.number if watch is not None else at.head
            if have.number >= goal:
                return have
            news = (await self.doors.run(source.news, {name: have}, self._page)).get(name, News())
            if news.moved is not None:
                await socket.say(frames.resync(name, news.moved))
                have = news.moved
            for row in news.rows:
                await socket.say(frames.item(source.kind, name, row.cursor, row.fields))
                have = row.cursor
            if not news.rows and news.moved is None:
                return have
        return have

    def _admit_losses(self, socket: Socket) -> None:
        for name in list(socket.lost):
            watch = self.watched.get(name)
            if watch is None:
                socket.lost.discard(name)
            else:
                watch.admit_loss(socket)

    # The tailer ------------------------------------------------------------

    def _start(self) -> None:
        hints.tell_here(self._hinted_elsewhere)
        for work in (self._tail, self._review, self._beat, self._listen):
            self._tasks.append(self._loop.create_task(_forever(work)))

    async def _listen(self) -> None:
        await hints.listen(self._hinted)
        await asyncio.Event().wait()

    def _hinted_elsewhere(self, names: Collection[str]) -> None:
        """Called in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._hinted, names)
        except RuntimeError:
            hints.stop_telling(self._hinted_elsewhere)

    def _hinted(self, names: Collection[str]) -> None:
        if not names:
            self._look_at_all = True
            self._wake.set()
        for name in names:
            if name in self.watched:
                self._dirty.add(name)
                self._wake.set()

    async def _tail(self) -> None:
        last = 0.0
        while True:
            await self._due()
            if not self._more:
                await asyncio.sleep(max(0.0, last + COALESCE_SECONDS - time.monotonic()))
            last = time.monotonic()
            names = self._take()
            if not names:
                continue
            known = {name: self.watched[name].cursor for name in names}
            self._asked_at = time.monotonic()
            try:
                news = await self._tail_thread.run(sources.news, streams.by_source(known), self._page)
            except Error as problem:
                self._lost_database(problem)
            else:
                self._has_database()
                self._spread(known, news)
            finally:
                self._asked_at = None

    async def _due(self) -> None:
        """Wait for a hint, for rows that are left, for the next look at all, or for that at derived streams."""
        now = time.monotonic()
        until = self._poll_at
        if any(map(streams.is_derived, self.watched)):
            until = min(until, self._derive_at)
        if self._more or until <= now:
            return
        try:
            async with asyncio.timeout(until - now):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _take(self) -> list[str]:
        """The streams to look at in this round."""
        self._wake.clear()
        now = time.monotonic()
        dirty, self._dirty, self._more = self._dirty, set(), False
        if self._look_at_all or now >= self._poll_at:
            dirty = set(self.watched)
            self._look_at_all = False
            self._poll_at = now + limits.value("LIVE_POLL_SECONDS")
        derive = now >= self._derive_at
        if derive:
            self._derive_at = now + DERIVE_SECONDS
            dirty |= {name for name in self.watched if streams.is_derived(name)}
        # A derived stream is computed once a second, whatever is hinted.
        return [name for name in dirty if name in self.watched and (derive or not streams.is_derived(name))]

    def _spread(self, known: dict[str, Cursor], news: dict[str, News]) -> None:
        for name, found in news.items():
            watch = self.watched.get(name)
            if watch is None:
                continue
            if watch.cursor != known[name]:
                # All readers left and others came while we looked.
                self._hinted((name,))
                continue
            if found.moved is not None:
                watch.move(found.moved, frames.resync(name, found.moved))
                continue
            kind = streams.kind_of(name)
            assert kind is not None
            for row in found.rows:
                message = frames.item(kind.source.kind, name, row.cursor, row.fields)
                if isinstance(kind.source, sources.Derived):
                    watch.move(row.cursor, message)
                else:
                    watch.deliver(row.cursor, message)
            if found.more:
                self._dirty.add(name)
                self._more = True

    # The database ----------------------------------------------------------

    @property
    def away(self) -> bool:
        """Whether the database does not answer, with an error or not at all."""
        return self._away or (self._asked_at is not None and time.monotonic() - self._asked_at > STUCK_SECONDS)

    def _lost_database(self, problem: Error) -> None:
        if not self._away:
            log.warning("live streams: the database is away: %s", type(problem).__name__)
            self._tell_all(frames.DELAYED)
        self._away = True

    def _has_database(self) -> None:
        if self._away:
            log.info("live streams: the database is back")
            self._away, self._look_at_all = False, True
            self._tell_all(frames.BEAT)

    def _tell_all(self, message: frames.Message) -> None:
        for socket in self.sockets:
            # Who has frames waiting will learn from those that it is live.
            if not socket.crowded:
                socket.push(message)

    async def _beat(self) -> None:
        """Every second: end sockets that do not read. Every few: say that this is live, or that it is not."""
        beat_at = time.monotonic() + BEAT_SECONDS
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            patience = limits.value("SOCKET_SEND_SECONDS")
            for socket in list(self.sockets):
                if socket.sending_since is not None and now - socket.sending_since > patience:
                    socket.cut(TOO_SLOW)
            if now >= beat_at:
                beat_at = now + BEAT_SECONDS
                self._tell_all(frames.DELAYED if self.away else frames.BEAT)

    # Rights ----------------------------------------------------------------

    async def _review(self) -> None:
        while True:
            await asyncio.sleep(limits.value("LIVE_RIGHTS_SECONDS"))
            looked = list(self.sockets)
            if not looked:
                continue
            try:
                sessions = {socket.session for socket in looked}
                people, scopes = await self.doors.run(rights.review, sessions, self._some_names())
            except Error as problem:
                self._lost_database(problem)
                continue
            self._has_database()
            for socket in looked:
                user = people.get(socket.session)
                if user is None:
                    socket.cut(SIGNED_OUT)
                else:
                    self._look_at_rights(socket, user, scopes)

    def _some_names(self) -> list[str]:
        """The next few watched streams whose scope is asked again: an object may move, or go."""
        count = len(self.watched)
        start = self._scopes_seen % count if count else 0
        self._scopes_seen = start + SCOPES_A_REVIEW
        return list(islice(self.watched, start, start + SCOPES_A_REVIEW))

    def _look_at_rights(self, socket: Socket, user: Any, scopes: dict[str, str | None]) -> None:
        socket.user = user
        for name, admission in list(socket.follows.items()):
            scope = scopes.get(name, admission.scope)
            if scope is None or not access.may(user, admission.kind.rule, scope):
                self.unfollow(socket, name)
                socket.push(frames.gone(name))
            elif scope != admission.scope:
                socket.follows[name] = streams.Admission(admission.kind, scope)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s of the live hub failed; it starts again", getattr(work, "__name__", "a task"))
            await asyncio.sleep(1)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def here() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
    return hub
