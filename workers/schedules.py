"""Schedules: beat only says "tick"; what is due is decided by rows.

A due time is taken by moving the schedule on from it, once, whoever saw it
first: two beats, or a tick delivered twice, make one job. Due times that
passed unseen are told by the tick that is taken for them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from portal.core import cause as causes
from portal.core import clock, limits
from portal.core.cause import Actor
from portal.core.unit import unit_of_work
from workers import failures, kinds
from workers.models import Schedule, ScheduleTick
from workers.queue import enqueue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule that every installation has; an admin may change its pace, or switch it off."""

    name: str
    kind: str
    every_seconds: int


_standing: Final[dict[str, Standing]] = {}


def stand(name: str, kind: str, *, every_seconds: int) -> None:
    """Called by the layer whose kind it is."""
    _standing[name] = Standing(name, kind, every_seconds)


def make_standing() -> None:
    """Make those that are not there yet; a row that an admin changed stays as it is."""
    for one in _standing.values():
        defaults = {"kind": one.kind, "every_seconds": one.every_seconds}
        Schedule.objects.get_or_create(name=one.name, defaults=defaults)


def run_due(now: datetime | None = None) -> int:
    """Take every due tick; returns how many jobs were enqueued."""
    asked = now or clock.now()
    enqueued = 0
    for schedule in Schedule.objects.filter(enabled=True, next_due_at__lte=asked).order_by("id"):
        with causes.acting(
            Actor("clock", schedule.name, f"schedule {schedule.name}"), because=f"schedule:{schedule.name}"
        ):
            try:
                enqueued += _take(schedule, asked)
            except Exception as problem:
                # One schedule that cannot run must not keep the others from it.
                log.exception("tick_failed", schedule=schedule.name)
                if failures.is_outage(problem):
                    raise
    return enqueued


def _take(schedule: Schedule, now: datetime) -> int:
    every = timedelta(seconds=schedule.every_seconds)
    missed = (now - schedule.next_due_at) // every
    due_at = schedule.next_due_at + missed * every
    with unit_of_work():
        # Under the due time it was read with. Two ticks may see different numbers of missed due times,
        # and so different rows to insert: the one whose UPDATE comes second takes nothing.
        # It only ever moves on; "not later" and not "equal", since SQLite writes its own clock's times shorter.
        mine = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_due_at__lte=schedule.next_due_at)
        if mine.update(next_due_at=due_at + every) != 1:
            return 0
        tick = ScheduleTick.objects.create(schedule=schedule, due_at=due_at, missed=missed)
        if _skips(schedule, missed, now) or kinds.get(schedule.kind) is None:
            log.warning("tick_skipped", schedule=schedule.name, missed=missed)
            return 0
        job = enqueue(schedule.kind, payload=schedule.payload, unique_key=f"schedule:{schedule.pk}")
        ScheduleTick.objects.filter(pk=tick.pk).update(job=job)
        return 1


def _skips(schedule: Schedule, missed: int, now: datetime) -> bool:
    """Whether the clock was away for longer than its own pace explains: faster schedules miss some at every tick."""
    late = (now - schedule.next_due_at).total_seconds()
    return schedule.missed == Schedule.Missed.SKIP and missed > 0 and late > limits.value("LEASE_SECONDS")
