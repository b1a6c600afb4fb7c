"""Events, written in the caller's transaction; hints after it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.unit import Pointer
from portal.live import hints
from portal.live.models import Event, Stream, new_epoch

# One statement and one round trip. Rows are locked in the order of the array, which is name order;
# `back` is the distance of an event from the head that its stream got.
_POSTGRESQL: Final = """
WITH wanted AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]) WITH ORDINALITY AS w(name, epoch, n, place)
), numbered AS (
    INSERT INTO live_stream (name, epoch, head, floor)
    SELECT name, epoch, n, 0 FROM wanted ORDER BY place
    ON CONFLICT (name) DO UPDATE SET head = live_stream.head + EXCLUDED.head
    RETURNING name, head
)
INSERT INTO live_event (stream_id, seq, kind, object, object_version)
SELECT e.name, numbered.head - e.back, e.kind, e.object, e.version
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS e(name, back, kind, object, version)
JOIN numbered ON numbered.name = e.name
"""
_SQLITE_STREAM: Final = """
INSERT INTO live_stream (name, epoch, head, floor) VALUES (%s, %s, %s, 0)
ON CONFLICT (name) DO UPDATE SET head = head + excluded.head RETURNING head
"""
_SQLITE_EVENT: Final = """
INSERT INTO live_event (stream_id, seq, kind, object, object_version) VALUES (%s, %s, %s, %s, %s)
"""

PRUNE_BATCH_EVENTS: Final = 1000


def publish(pointers: dict[str, list[Pointer]]) -> Callable[[], None]:
    """Number and write ``pointers`` on their streams; the answer sends the hint, after the commit.

    Called inside an open transaction, as its last locks: streams are locked in
    name order and stay locked until it ends, so that numbers are gapless and
    visible in order.
    """
    names = sorted(name for name, found in pointers.items() if found)
    if not names:
        return _nothing
    if connection.vendor == "postgresql":
        _write_postgresql(names, pointers)
    else:
        _write_one_by_one(names, pointers)
    return partial(hint, names)


def hint(names: Collection[str]) -> None:
    """Say after a commit that these streams went on: for sources that keep their own rows. Never raises."""
    reach(Failpoint.BEFORE_HINT)
    hints.send(names)


def _nothing() -> None:
    pass


def _write_postgresql(names: list[str], pointers: dict[str, list[Pointer]]) -> None:
    events = [(name, back, pointer) for name in names for back, pointer in enumerate(reversed(pointers[name]))]
    with connection.cursor() as cursor:
        cursor.execute(
            _POSTGRESQL,
            [
                names,
                [new_epoch() for _ in names],
                [len(pointers[name]) for name in names],
                [name for name, _, _ in events],
                [back for _, back, _ in events],
                [pointer.kind for _, _, pointer in events],
                [pointer.object for _, _, pointer in events],
                [pointer.version for _, _, pointer in events],
            ],
        )


def _write_one_by_one(names: list[str], pointers: dict[str, list[Pointer]]) -> None:
    with connection.cursor() as cursor:
        for name in names:
            found = pointers[name]
            cursor.execute(_SQLITE_STREAM, [name, new_epoch(), len(found)])
            first = cursor.fetchone()[0] - len(found) + 1
            cursor.executemany(
                _SQLITE_EVENT,
                [(name, n, pointer.kind, pointer.object, pointer.version) for n, pointer in enumerate(found, first)],
            )


def prune(keep_hours: int) -> int:
    """Delete events older than that; answers how many.

    Each batch is its own transaction: floors first, streams in name order, so
    that a reader below a floor is told to resync and never reads a hole.
    """
    pruned = 0
    while batch := _oldest(keep_hours):
        with transaction.atomic():
            for name, seq in batch:
                Stream.objects.filter(name=name).update(floor=Greatest(F("floor"), seq))
            for name, seq in batch:
                pruned += Event.objects.filter(stream_id=name, seq__lte=seq).delete()[0]
    return pruned


def _oldest(keep_hours: int) -> list[tuple[str, int]]:
    old = Event.objects.filter(at__lt=Wall(-3600 * keep_hours)).order_by("at")
    highest: dict[str, int] = {}
    for name, seq in old.values_list("stream_id", "seq")[:PRUNE_BATCH_EVENTS]:
        highest[name] = max(seq, highest.get(name, 0))
    return sorted(highest.items())


def renew_epochs() -> int:
    """Called by a restore: numbers that were given out after the backup are never believed again."""
    return Stream.objects.update(epoch=new_epoch())
