"""The unit of work: one transaction, its history and its events.

Everything that changes state runs in one. On the way out, still inside the
transaction, the Activity rows are written, then what people are told, then the
events, streams locked in name order as the last locks of all; after the commit
the hints go out. Nothing is published before commit, and nothing that was
rolled back is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import transaction

from portal.core import access
from portal.core import cause as causes
from portal.core.cause import Cause


@dataclass(frozen=True, slots=True)
class Pointer:
    """What an event points at: a kind, an object's name, its version. Never text of a user."""

    kind: str
    object: str
    version: int


class Publisher(Protocol):
    """Writes pointers to streams inside the open transaction; returns what to do after commit."""

    def __call__(self, pointers: dict[str, list[Pointer]]) -> Callable[[], None]: ...


_publishers: list[Publisher] = []


def register_publisher(publisher: Publisher) -> None:
    """Called once by ``portal.live``: this layer must not import it."""
    if publisher not in _publishers:
        _publishers.append(publisher)


@dataclass(slots=True)
class Record:
    """One row of history in the making."""

    verb: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    cause: Cause
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is told; ``scope`` is what they must see to read it, and empty where they always may."""

    user: int
    verb: str
    subject: str
    scope: str
    title: str
    url: str


@dataclass(slots=True)
class UnitOfWork:
    records: list[Record] = field(default_factory=list)
    announced: list[tuple[str, Pointer]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    afterwards: dict[object, Callable[[], None]] = field(default_factory=dict)

    def record(
        self,
        verb: str,
        subject: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reason: str = "",
        scope: str = "",
    ) -> None:
        """Write one Activity row at the end of this unit.

        Who may read it follows from ``scope``; left out, from what this unit
        announces of the subject. What has none is for admins.
        """
        self.records.append(Record(verb, subject, before or {}, after or {}, reason, causes.current(), scope))

    def announce(self, stream: str, pointer: Pointer) -> None:
        """Write one event on ``stream`` at the end; the same object twice is one event."""
        self.announced.append((stream, pointer))

    def notify(self, notice: Notice) -> None:
        """Tell one person at the end of this unit; see ``notifications.notify``."""
        self.notices.append(notice)

    def after_commit(self, key: object, action: Callable[[], None]) -> None:
        """Run ``action`` once after the commit, whatever else fails; the same key once."""
        self.afterwards.setdefault(key, action)

    def _write(self) -> None:
        from portal.core import bulk, notifications
        from portal.core.models import Activity

        self._place()
        bulk.copy(Activity, Activity.WRITTEN, [Activity.columns(record) for record in self.records])
        notifications.store(self.notices)
        for publisher in _publishers:
            pointers = self._by_stream()
            if pointers:
                transaction.on_commit(publisher(pointers), robust=True)
        for action in self.afterwards.values():
            transaction.on_commit(action, robust=True)

    def _place(self) -> None:
        """Give each record its scope: its subject, or where that was announced, by itself or by whose stream it is."""
        homes = {pointer.object: stream for stream, pointer in self.announced if access.is_scope(stream)}
        within = {pointer.object: homes[stream] for stream, pointer in self.announced if stream in homes}
        for record in self.records:
            own = record.subject if access.is_scope(record.subject) else ""
            record.scope = record.scope or own or homes.get(record.subject) or within.get(record.subject, "")

    def _by_stream(self) -> dict[str, list[Pointer]]:
        latest: dict[str, dict[tuple[str, str], Pointer]] = {}
        for stream, pointer in self.announced:
            latest.setdefault(stream, {})[pointer.kind, pointer.object] = pointer
        return {stream: list(latest[stream].values()) for stream in sorted(latest)}


_open: ContextVar[UnitOfWork | None] = ContextVar("shiproom_unit", default=None)


def current() -> UnitOfWork:
    """The open unit. Raises ``RuntimeError`` outside one: a state change needs it."""
    unit = _open.get()
    if unit is None:
        raise RuntimeError("No unit of work is open: wrap the change in unit_of_work().")
    return unit


def is_open() -> bool:
    return _open.get() is not None


@contextmanager
def joined() -> Iterator[UnitOfWork]:
    """The open unit, without a savepoint of its own, or a new one: for one statement, which leaves nothing half."""
    around = _open.get()
    if around is not None:
        yield around
        return
    with unit_of_work() as unit:
        yield unit


@contextmanager
def unit_of_work() -> Iterator[UnitOfWork]:
    """Open a unit, or join the one around it under a savepoint.

    An inner block that raises takes back its own records and events only.
    """
    around = _open.get()
    if around is not None:
        marks = len(around.records), len(around.announced), len(around.notices)
        later = set(around.afterwards)
        try:
            with transaction.atomic():
                yield around
        except BaseException:
            del around.records[marks[0] :], around.announced[marks[1] :], around.notices[marks[2] :]
            for key in set(around.afterwards) - later:
                del around.afterwards[key]
            raise
        return
    unit = UnitOfWork()
    with transaction.atomic():
        token = _open.set(unit)
        try:
            yield unit
            unit._write()
        finally:
            # Closed before the commit: what runs after it opens a unit of its own.
            _open.reset(token)
