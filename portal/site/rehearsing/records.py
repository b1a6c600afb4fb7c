"""Rehearsals as rows, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError, connection

import portal
from portal.core import guard, revision
from portal.core.guard import manifest
from portal.core.models import Rehearsal
from portal.core.unit import unit_of_work
from portal.site.rehearsing import copies
from portal.site.rehearsing.rounds import Outcome, losses

_ENGINES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
_SHOWN: Final = 40
# Of each list in a row: what is longer is cut, and says so.
_KEPT: Final = 200
_WAYS: Final = {"back": "Going back loses", "forward": "Going forward takes away"}


def store(outcome: Outcome) -> bool:
    """Keep it; False where the database has no table for it yet."""
    try:
        with unit_of_work() as work:
            row = Rehearsal.objects.create(
                version=portal.__version__,
                commit=revision.running().commit[:40],
                fingerprint=manifest.load(connection.vendor).structure.fingerprint(),
                engine=outcome.engine,
                from_heads=outcome.from_heads,
                to_heads=outcome.to_heads,
                steps=_cut(outcome.steps),
                result=Rehearsal.Result.PASSED if outcome.passed else Rehearsal.Result.FAILED,
                faults=_cut(outcome.faults),
                losses=losses(outcome)[:_KEPT],
                tables=outcome.tables,
                rows=outcome.rows,
                size_bytes=outcome.size_bytes,
                seconds=outcome.seconds,
            )
            if guard.look().may_start:
                # An older schema may not have what a row of history is made of.
                after = {"result": row.result, "steps": len(outcome.steps), "rows": outcome.rows}
                work.record("migrations.rehearsed", "installation", after=after)
    except DatabaseError:
        return False
    return True


def _cut(found: list[str]) -> list[str]:
    more = len(found) - _KEPT
    return [*found[:_KEPT], *([f"and {more} more"] if more > 0 else [])]


def text(outcome: Outcome) -> str:
    """For a terminal."""
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    size = copies.spelled(outcome.size_bytes)
    yield f"Rehearsed in {outcome.seconds} s on a copy with data ({_ENGINES[outcome.engine]}, {size})."
    if outcome.pending:
        yield f"Forward to this code, back to where the database is, forward again: {len(outcome.steps)} migrations."
    else:
        yield f"Nothing is pending: {len(outcome.steps)} migrations that are applied went back, and forward again."
    yield from (f"  {step}" for step in _some(outcome.steps))
    for way, words in _WAYS.items():
        gone = [loss for loss in outcome.losses if loss.way == way]
        if gone:
            yield f"{words}:"
            named = [f"{loss.table}{f'.{loss.column}' if loss.column else ' (the table)'}" for loss in gone]
            lines = [f"  {name:<50} {loss.rows} rows" for name, loss in zip(named, gone, strict=True)]
            yield from _some(lines)
    if outcome.changed:
        yield "Going forward changes what was there:"
        yield from (f"  {said}" for said in _some(outcome.changed))
    if outcome.passed:
        yield f"Passed: the structure, and the {outcome.rows} rows of {outcome.tables} tables, came back as they were."
    else:
        yield "Failed:"
        yield from (f"  {fault}" for fault in _some(outcome.faults))


def _some(lines: list[str]) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more"
