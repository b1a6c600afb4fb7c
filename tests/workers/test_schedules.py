"""Schedules: each due time makes one job, whoever ticks; missed ones follow the schedule's rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portal.core import clock
from tests.workers.racing import race
from workers import schedules, tasks
from workers.models import Job, Schedule, ScheduleTick, Worker
from workers.presence import BEAT_NAME

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
START = datetime.fromisoformat("2026-03-01T03:00:00+00:00")


@pytest.fixture(autouse=True)
def _no_schedules_but_mine() -> None:
    Schedule.objects.all().delete()


def schedule(name: str = "nightly", *, every: int = 60, **fields: Any) -> Schedule:
    fields = {"kind": "test.job", "next_due_at": START, **fields}
    return Schedule.objects.create(name=name, every_seconds=every, **fields)


def after(**ago: float) -> datetime:
    return START + timedelta(**ago)


def end_jobs() -> None:
    Job.objects.update(state="succeeded")


class TestDue:
    def test_before_its_time_nothing_happens(self, kind: Make) -> None:
        kind()
        schedule()
        assert schedules.run_due(after(seconds=-1)) == 0
        assert not ScheduleTick.objects.exists()

    def test_at_its_time_one_job_and_one_tick_and_the_next_time(self, kind: Make) -> None:
        kind()
        made = schedule(payload={"days": 7})
        assert schedules.run_due(after(seconds=2)) == 1
        made.refresh_from_db()
        tick, job = ScheduleTick.objects.get(), Job.objects.get()
        assert (tick.due_at, tick.missed, tick.job) == (START, 0, job)
        assert made.next_due_at == after(seconds=60)
        assert (job.payload, job.cause["actor"]) == ({"days": 7}, "schedule nightly")
        assert schedules.run_due(after(seconds=3)) == 0

    def test_due_times_keep_their_pace_however_late_the_tick(self, kind: Make) -> None:
        kind()
        schedule()
        for seconds in (4, 61, 129, 180):
            schedules.run_due(after(seconds=seconds))
            end_jobs()
        assert [tick.due_at for tick in ScheduleTick.objects.order_by("id")] == [after(minutes=n) for n in range(4)]

    def test_while_the_last_job_lives_no_second_is_made(self, kind: Make) -> None:
        kind()
        schedule()
        schedules.run_due(START)
        schedules.run_due(after(minutes=1))
        assert Job.objects.count() == 1
        assert {tick.job_id for tick in ScheduleTick.objects.all()} == {Job.objects.get().pk}

    def test_one_that_is_switched_off_waits(self, kind: Make) -> None:
        kind()
        schedule(enabled=False)
        assert schedules.run_due(after(days=1)) == 0

    def test_one_of_an_unknown_kind_passes_its_time_and_blocks_no_other(self, kind: Make) -> None:
        kind()
        schedule("unknown", kind="test.unknown")
        schedule("broken", payload={"x": 1}, next_due_at=START)
        schedule("good")
        assert schedules.run_due(after(seconds=1)) == 2
        assert ScheduleTick.objects.filter(schedule__name="unknown", job=None).count() == 1

    def test_one_that_raises_keeps_no_other_from_its_turn(self, kind: Make) -> None:
        kind()
        schedule("broken", next_due_at=datetime.fromisoformat("0001-01-01T00:00:00+00:00"), every=2_000_000_000)
        Schedule.objects.filter(name="broken").update(next_due_at=datetime.fromisoformat("9998-12-31T00:00:00+00:00"))
        schedule("good", next_due_at=datetime.fromisoformat("9998-12-31T00:00:00+00:00"))
        assert schedules.run_due(datetime.fromisoformat("9999-01-01T00:00:00+00:00")) == 1


class TestMissed:
    def test_once_makes_one_job_for_all_and_tells_how_many(self, kind: Make) -> None:
        kind()
        schedule("five minutes", every=300)
        schedule("daily", every=86_400)
        assert schedules.run_due(after(hours=1, seconds=2)) == 2
        ticks = {tick.schedule.name: tick for tick in ScheduleTick.objects.all()}
        assert (ticks["five minutes"].missed, ticks["five minutes"].due_at) == (12, after(hours=1))
        assert (ticks["daily"].missed, ticks["daily"].due_at) == (0, START)
        assert schedules.run_due(after(hours=1, seconds=3)) == 0

    def test_skip_makes_none_for_them_and_goes_on_at_the_next(self, kind: Make) -> None:
        kind()
        schedule(every=300, missed=Schedule.Missed.SKIP)
        assert schedules.run_due(after(hours=1, seconds=2)) == 0
        assert ScheduleTick.objects.get().missed == 12
        assert schedules.run_due(after(hours=1, minutes=5)) == 1

    def test_a_schedule_faster_than_the_clock_s_tick_is_not_skipped_for_ever(self, kind: Make) -> None:
        kind()
        schedule(every=1, missed=Schedule.Missed.SKIP)
        for seconds in (5, 10, 15):
            assert schedules.run_due(after(seconds=seconds)) == 1
            end_jobs()


class TestTwoClocks:
    def test_a_due_time_is_one_row(self) -> None:
        made = schedule()
        ScheduleTick.objects.create(schedule=made, due_at=START)
        with pytest.raises(IntegrityError), transaction.atomic():
            ScheduleTick.objects.create(schedule=made, due_at=START)

    def test_many_ticks_at_once_make_one_job_a_schedule(self, kind: Make, engine: str) -> None:
        kind()
        names = [schedule(f"s{n}", every=1).name for n in range(10)]
        processes = 8 if engine == "postgresql" else 3
        # Each sees another time, so another number of missed due times.
        enqueued = race(_tick, [(after(seconds=100 + n).isoformat(),) for n in range(processes)])
        ticks = ScheduleTick.objects.all()
        assert sum(enqueued) == ticks.count()
        for name in names:
            due = sorted(tick.due_at for tick in ticks if tick.schedule.name == name)
            assert len(due) == len(set(due))
            moved = Schedule.objects.get(name=name).next_due_at
            assert moved == due[-1] + timedelta(seconds=1)

    def test_a_tick_that_read_the_schedule_before_another_moved_it_takes_nothing(self, kind: Make) -> None:
        kind()
        made = schedule(every=1)
        late, early = after(seconds=12), after(seconds=10)
        assert schedules._take(made, late) == 1
        end_jobs()
        # The other beat has the row as it was, and an earlier time.
        assert schedules._take(made, early) == 0
        assert Job.objects.count() == 1
        made.refresh_from_db()
        assert made.next_due_at == after(seconds=13)


def test_a_tick_s_message_runs_what_is_due_says_that_the_clock_lives_and_takes_unknown_arguments(kind: Make) -> None:
    kind()
    schedule(next_due_at=clock.now())
    tasks.tick(unknown="argument")
    tasks.tick()
    assert Job.objects.count() == 1
    assert Worker.objects.get().name == BEAT_NAME


def _tick(now: str) -> int:
    return schedules.run_due(datetime.fromisoformat(now))
