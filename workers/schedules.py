"""Schedules: beat only says "tick"; what is due is decided by rows.

A due time is taken by moving the schedule on from it, once, whoever saw it
first: two beats, or a tick delivered twice, make one job. What happens to due
times that passed unseen is the schedule's own rule, and its tick tells of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog
from django.db.models import Q

from portal.core import cause as causes
from portal.core import clock, limits
from portal.core.cause import Actor
from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.lifecycle import Gone, Refused
from portal.core.unit import UnitOfWork, unit_of_work
from workers import calendars, failures, kinds, presence
from workers.models import LIVE_STATES, Job, Schedule, ScheduleTick, Worker
from workers.queue import enqueue

log = structlog.get_logger(__name__)
# What says when a schedule comes due.
WHEN: Final = ("every_seconds", "calendar", "time_zone")
# Due times of a calendar that are looked at one by one: two weeks of minutes. Of more, only those of the last day are.
LOOKED_AT_TICKS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule that every installation has; an admin may change when it comes, or switch it off."""

    name: str
    kind: str
    every_seconds: int
    calendar: str
    time_zone: str


_standing: Final[dict[str, Standing]] = {}


def stand(name: str, kind: str, *, every_seconds: int = 0, calendar: str = "", time_zone: str = "UTC") -> None:
    """Called by the layer whose kind it is, with a pace or a calendar."""
    _standing[name] = Standing(name, kind, every_seconds, calendar, time_zone)


def make_standing() -> None:
    """Make those that are not there yet; a row that an admin changed stays as it is."""
    for one in _standing.values():
        made = Schedule(kind=one.kind, every_seconds=one.every_seconds, calendar=one.calendar, time_zone=one.time_zone)
        defaults = {"kind": one.kind, **{name: getattr(made, name) for name in WHEN}}
        if one.calendar:
            defaults["next_due_at"] = next_due(made, clock.now())
        Schedule.objects.get_or_create(name=one.name, defaults=defaults)


# When -------------------------------------------------------------------------


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """When it comes due next if it begins now. Raises ``BadCalendar`` or ``BadZone``."""
    if schedule.calendar:
        return _calendar(schedule).next(after)
    return after + timedelta(seconds=schedule.every_seconds)


def coming(schedule: Schedule, most: int) -> list[datetime]:
    """Its next due times, as it stands. Raises ``BadCalendar`` or ``BadZone``."""
    first = schedule.next_due_at
    if schedule.calendar:
        return [first, *islice(_calendar(schedule).after(first), most - 1)]
    return [first + n * timedelta(seconds=schedule.every_seconds) for n in range(most)]


def restart(schedule: Schedule) -> None:
    """It comes due anew from now on, as its row says: after a change of when, or when it is switched on.

    Whatever it was due for before is not missed. A tick that has read the row
    as it was takes nothing. Raises ``Gone``.
    """
    with unit_of_work():
        # Two admins may change it at once: what the row says is what holds.
        held = Schedule.objects.select_for_update().filter(pk=schedule.pk).first()
        if held is None:
            raise Gone(f"The schedule {schedule.name} is not there any more.")
        Schedule.objects.filter(pk=held.pk).update(next_due_at=next_due(held, clock.now()))


def _calendar(schedule: Schedule) -> calendars.Calendar:
    return calendars.Calendar(schedule.calendar, calendars.zone(schedule.time_zone))


@dataclass(frozen=True, slots=True)
class Due:
    """The newest due times up to now, oldest first; how many came before the last one; when the next one is."""

    times: list[datetime]
    missed: int
    next_at: datetime


def _due(schedule: Schedule, now: datetime) -> Due:
    most = limits.value("SCHEDULE_CATCH_UP_TICKS")
    if schedule.calendar:
        return _due_by_calendar(schedule, now, most)
    every = timedelta(seconds=schedule.every_seconds)
    missed = (now - schedule.next_due_at) // every
    last = schedule.next_due_at + missed * every
    return Due([last - n * every for n in reversed(range(min(missed + 1, most)))], missed, last + every)


def _due_by_calendar(schedule: Schedule, now: datetime, most: int) -> Due:
    calendar, begin, number = _calendar(schedule), schedule.next_due_at, 1
    times, lately = deque([begin], maxlen=most), now - timedelta(days=1)
    while True:
        for due in calendar.after(begin):
            if due > now:
                return Due(list(times), number - 1, due)
            times.append(due)
            number += 1
            if number % LOOKED_AT_TICKS == 0 and due < lately:
                # The clock was away for long, and this one comes often: no tick counts for minutes.
                log.warning("ticks_uncounted", schedule=schedule.name, since=due.isoformat())
                begin = lately
                break
        else:
            raise calendars.BadCalendar(f'"{schedule.calendar}" does not come again.')


# Ticks ------------------------------------------------------------------------


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
    due = _due(schedule, now)
    with unit_of_work() as work:
        # Under the due time it was read with. Two ticks may see different numbers of missed due times,
        # and so different rows to insert: the one whose UPDATE comes second takes nothing.
        # It only ever moves on; "not later" and not "equal", since SQLite writes its own clock's times shorter.
        mine = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_due_at__lte=schedule.next_due_at)
        # And under the pace that it was read with, which an admin may have changed meanwhile.
        if mine.filter(**{name: getattr(schedule, name) for name in WHEN}).update(next_due_at=due.next_at) != 1:
            return 0
        if _skips(schedule, due.missed, now) or kinds.get(schedule.kind) is None:
            ScheduleTick.objects.get_or_create(schedule=schedule, due_at=due.times[-1], defaults={"missed": due.missed})
            log.warning("tick_skipped", schedule=schedule.name, missed=due.missed)
            return 0
        if schedule.missed != Schedule.Missed.ALL:
            return _tick(schedule, due.times[-1], due.missed, f"schedule:{schedule.pk}")
        left_out = due.missed + 1 - len(due.times)
        if left_out:
            _tell_left_out(work, schedule, left_out, due)
        keys = [f"schedule:{schedule.pk}:{at.timestamp():.0f}" for at in due.times]
        return sum(
            _tick(schedule, at, 0 if n else left_out, key)
            for n, (at, key) in enumerate(zip(due.times, keys, strict=True))
        )


def _tell_left_out(work: UnitOfWork, schedule: Schedule, left_out: int, due: Due) -> None:
    log.warning("ticks_left_out", schedule=schedule.name, left_out=left_out)
    first = due.times[0].isoformat(timespec="seconds")
    after = {"left out": left_out, "made up for": len(due.times), "since": first}
    work.record("schedule.left_out", _subject(schedule), after=after)


def _tick(schedule: Schedule, due_at: datetime, missed: int, key: str) -> int:
    """The row of one due time, and its job; returns how many jobs."""
    tick, made = ScheduleTick.objects.get_or_create(schedule=schedule, due_at=due_at, defaults={"missed": missed})
    if not made:
        # Its effect is there already, whoever set the schedule back.
        log.warning("tick_known", schedule=schedule.name, due_at=due_at.isoformat())
        return 0
    jobs = _enqueue(schedule, key)
    ScheduleTick.objects.filter(pk=tick.pk).update(job=jobs[0])
    reach(Failpoint.IN_TICK)
    return len(jobs)


def _enqueue(schedule: Schedule, key: str) -> list[Job]:
    kind = kinds.get(schedule.kind)
    machines = _machines(kind.pool) if kind and kind.each_machine else []
    if not machines:
        return [enqueue(schedule.kind, payload=schedule.payload, unique_key=key)]
    return [enqueue(schedule.kind, payload=schedule.payload, unique_key=f"{key}@{at}", host=at) for at in machines]


def _machines(pool: str) -> list[str]:
    """Those on which a worker of the pool is alive."""
    seen = Wall(-limits.value("LEASE_SECONDS"))
    rows = Worker.objects.filter(pool=pool, state=Worker.State.ALIVE, seen_at__gte=seen)
    return sorted(set(rows.exclude(name=presence.BEAT_NAME).values_list("host", flat=True)))


def _skips(schedule: Schedule, missed: int, now: datetime) -> bool:
    """Whether the clock was away for longer than its own pace explains: faster schedules miss some at every tick."""
    late = (now - schedule.next_due_at).total_seconds()
    return schedule.missed == Schedule.Missed.SKIP and missed > 0 and late > limits.value("LEASE_SECONDS")


# By a person ------------------------------------------------------------------


def run_now(schedule: Schedule) -> tuple[Job, bool]:
    """Enqueue its job now, whatever it is due for: the job, and whether it is a new one.

    While a job of it is on its way that one is returned. Raises ``Refused``
    where no code here knows its kind.
    """
    if kinds.get(schedule.kind) is None:
        raise Refused(f"No kind of job is named {schedule.kind}: there is nothing to run.")
    key = f"schedule:{schedule.pk}"
    own = Q(unique_key=key) | Q(unique_key__startswith=f"{key}@")
    alive = Job.objects.filter(own, kind=schedule.kind, state__in=LIVE_STATES).order_by("pk").first()
    if alive is not None:
        return alive, False
    with unit_of_work() as work:
        job = _enqueue(schedule, key)[0]
        work.record("schedule.run", _subject(schedule), after={"job": job.name})
    return job, True


def _subject(schedule: Schedule) -> str:
    return f"schedule:{schedule.pk}"
