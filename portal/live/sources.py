"""Where the rows of a stream come from, and what is new in them. All database work of the tailer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol, runtime_checkable

from django.db import Error
from django.db.models import Q

from portal.live.cursor import NO_STREAM, Cursor, Position, gapless, resumes
from portal.live.models import Event, Stream

log = logging.getLogger(__name__)
# Streams whose rows are read by one statement.
_TOGETHER = 20


@runtime_checkable
class DataSource(Protocol):
    """Rows of its own, such as a turn's output by byte offset.

    A number is the end of what it covers: who has number n, has all below it.
    ``epoch`` names the life of a stream; ``head`` leaves out what has no rows.
    """

    def epoch(self, name: str) -> str: ...
    def head(self, names: Sequence[str]) -> dict[str, int]: ...
    def rows(self, name: str, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]: ...


@runtime_checkable
class DerivedSource(Protocol):
    """No rows: a digest of what a page shows. When it changes, the page is told."""

    def digest(self, name: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    cursor: Cursor
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What a stream has for a reader: rows, or a place to go on from after reading all anew."""

    rows: list[Row] = field(default_factory=list)
    more: bool = False
    moved: Cursor | None = None


class Events:
    """The rows of ``Stream`` and ``Event``."""

    kind = "event"

    def positions(self, names: Sequence[str]) -> dict[str, Position]:
        found = Stream.objects.filter(name__in=names).values_list("name", "epoch", "head", "floor")
        return {name: Position(epoch, head, floor) for name, epoch, head, floor in found}

    def position(self, name: str) -> Position:
        return self.positions([name]).get(name, NO_STREAM)

    def news(self, known: Mapping[str, Cursor], page: int) -> dict[str, News]:
        """One statement for all heads; a second one only for streams that went on."""
        positions = self.positions(list(known))
        news: dict[str, News] = {}
        wanted: dict[str, tuple[int, int]] = {}
        for name, have in known.items():
            at = positions.get(name, NO_STREAM)
            if not resumes(have, at):
                news[name] = News(moved=at.now)
            elif at.head > have.number:
                wanted[name] = (have.number, min(at.head, have.number + page))
        found = self._read(wanted)
        for name, (after, until) in wanted.items():
            at = positions[name]
            rows = [Row(Cursor(at.epoch, number), fields) for number, fields in found.get(name, [])]
            complete = len(rows) == until - after and gapless(after, [row.cursor.number for row in rows])
            news[name] = News(rows, more=until < at.head) if complete else News(moved=at.now)
        return news

    def _read(self, wanted: Mapping[str, tuple[int, int]]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
        found: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        names = list(wanted)
        for start in range(0, len(names), _TOGETHER):
            batch = ((name, *wanted[name]) for name in names[start : start + _TOGETHER])
            ranges = (Q(stream_id=name, seq__gt=after, seq__lte=until) for name, after, until in batch)
            rows = Event.objects.filter(reduce(or_, ranges)).order_by("stream_id", "seq")
            columns = rows.values_list("stream_id", "seq", "kind", "object", "object_version")
            for name, seq, kind, thing, version in columns:
                found.setdefault(name, []).append((seq, {"kind": kind, "object": thing, "version": version}))
        return found


class Data:
    """A ``DataSource``, seen as the tailer sees all."""

    kind = "output"

    def __init__(self, source: DataSource) -> None:
        self.source = source

    def position(self, name: str) -> Position:
        return Position(self.source.epoch(name), self.source.head([name]).get(name, 0))

    def news(self, known: Mapping[str, Cursor], page: int) -> dict[str, News]:
        """Asks for epochs only where a head went back: another life of the same name."""
        heads = self.source.head(list(known))
        news: dict[str, News] = {}
        for name, have in known.items():
            head = heads.get(name, 0)
            if head < have.number:
                news[name] = News(moved=Cursor(self.source.epoch(name), head))
            elif head > have.number:
                rows = [Row(Cursor(have.epoch, n), fields) for n, fields in self.source.rows(name, have.number, page)]
                news[name] = News(rows, more=bool(rows) and rows[-1].cursor.number < head)
        return news


class Derived:
    """A ``DerivedSource``: the digest is the epoch, so that a page that was rendered with another one is stale."""

    kind = "event"

    def __init__(self, source: DerivedSource) -> None:
        self.source = source

    def position(self, name: str) -> Position:
        short = hashlib.blake2s(self.source.digest(name).encode(), digest_size=8).hexdigest()
        # The floor keeps a cursor from before all from looking current.
        return Position(short, 1, 1)

    def news(self, known: Mapping[str, Cursor], page: int) -> dict[str, News]:
        news: dict[str, News] = {}
        for name, have in known.items():
            now = self.position(name).now
            if now != have:
                news[name] = News([Row(now, {"kind": name.partition(":")[0], "object": name, "version": 0})])
        return news


Source = Events | Data | Derived


def adapt(source: DataSource | DerivedSource | None) -> Source:
    if source is None:
        return Events()
    return Derived(source) if isinstance(source, DerivedSource) else Data(source)


def news(asked: Sequence[tuple[Source, Mapping[str, Cursor]]], page: int) -> dict[str, News]:
    """What is new on all these streams. A source that fails costs the others nothing; the database being away does."""
    found: dict[str, News] = {}
    for source, known in asked:
        try:
            found |= source.news(known, page)
        except Error:
            raise
        except Exception:
            log.exception("the source of %s failed", ", ".join(known))
    return found
