"""Schedules: each due time makes one job, whoever ticks; missed ones follow the schedule's rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from portal.core import clock
from portal.core.models import Activity
from tests.workers.racing import race
from workers import schedules, tasks
from workers.models import Job, Schedule, ScheduleTick, Worker
from workers.presence import BEAT_NAME

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
Limits = Callable[..., None]
START = datetime.fromisoformat("2026-03-01T03:00:00+00:00")


@pytest.fixture(autouse=True)
def _no_schedules_but_mine() -> None:
    Schedule.objects.all().delete()


def schedule(name: str = "nightly", *, every: int = 60, **fields: Any) -> Schedule:
    fields = {"kind": "test.job", "next_due_at": START, **fields}
    return Schedule.objects.create(name=name, every_seconds=every, **fields)


def calendar(expression: str, *, due: str, name: str = "calendar", **fields: Any) -> Schedule:
    fields = {"time_zone": "Europe/Berlin", **fields}
    return schedule(name, every=0, calendar=expression, next_due_at=datetime.fromisoformat(due), **fields)


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

    def test_all_makes_a_job_for_each_of_them(self, kind: Make) -> None:
        kind()
        made = schedule(every=300, missed=Schedule.Missed.ALL)
        assert schedules.run_due(after(minutes=17)) == 4
        ticks = list(ScheduleTick.objects.order_by("due_at"))
        assert [tick.due_at for tick in ticks] == [after(minutes=5 * n) for n in range(4)]
        assert len({tick.job_id for tick in ticks}) == 4 and {tick.missed for tick in ticks} == {0}
        made.refresh_from_db()
        assert made.next_due_at == after(minutes=20)
        # And it does so with every one after these, though their jobs still wait.
        assert schedules.run_due(after(minutes=21)) == 1

    @pytest.mark.parametrize(("minutes", "jobs", "left_out"), [(15, 4, 0), (20, 4, 1), (60, 4, 9)])
    def test_all_makes_up_for_the_newest_up_to_the_limit_and_tells_what_it_left_out(
        self, kind: Make, limit: Limits, minutes: int, jobs: int, left_out: int
    ) -> None:
        kind()
        limit(SCHEDULE_CATCH_UP_TICKS=4)
        schedule(every=300, missed=Schedule.Missed.ALL)
        assert schedules.run_due(after(minutes=minutes)) == jobs
        ticks = list(ScheduleTick.objects.order_by("due_at"))
        assert ticks[-1].due_at == after(minutes=minutes)
        assert [tick.missed for tick in ticks] == [left_out, 0, 0, 0]
        told = [row.after for row in Activity.objects.filter(verb="schedule.left_out")]
        since = after(minutes=minutes - 15).isoformat()
        assert told == ([{"left out": left_out, "made up for": 4, "since": since}] if left_out else [])


class TestCalendars:
    def test_each_due_time_is_one_of_the_calendar_s(self, kind: Make) -> None:
        kind()
        made = calendar("30 2 * * *", due="2026-03-28T01:30:00+00:00")
        for day in ("28T01:30", "29T00:59", "29T01:01", "30T00:29", "30T00:31"):
            schedules.run_due(datetime.fromisoformat(f"2026-03-{day}:00+00:00"))
            end_jobs()
        # On the 29th half past two is left out in Berlin: it comes at three, which is one o'clock UTC.
        found = [f"{tick.due_at:%d %H:%M}" for tick in ScheduleTick.objects.order_by("id")]
        assert found == ["28 01:30", "29 01:00", "30 00:30"]
        made.refresh_from_db()
        assert made.next_due_at == datetime.fromisoformat("2026-03-31T00:30:00+00:00")

    @pytest.mark.parametrize(("missed", "jobs"), [("once", 1), ("skip", 0), ("all", 4)])
    def test_missed_ones_follow_the_rule(self, kind: Make, missed: str, jobs: int) -> None:
        kind()
        calendar("0 7 * * *", due="2026-03-27T06:00:00+00:00", missed=missed)
        assert schedules.run_due(datetime.fromisoformat("2026-03-30T12:00:00+00:00")) == jobs
        last = ScheduleTick.objects.order_by("-due_at")[0]
        assert (last.due_at, last.missed) == (
            datetime.fromisoformat("2026-03-30T05:00:00+00:00"),
            0 if missed == "all" else 3,
        )

    def test_after_a_year_away_one_of_each_minute_takes_no_minute_to_count(
        self, kind: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind()
        monkeypatch.setattr(schedules, "LOOKED_AT_TICKS", 2000)
        made = calendar("* * * * *", due="2025-03-27T06:00:00+00:00")
        assert schedules.run_due(datetime.fromisoformat("2026-03-27T06:00:30+00:00")) == 1
        made.refresh_from_db()
        assert made.next_due_at == datetime.fromisoformat("2026-03-27T06:01:00+00:00")
        tick = ScheduleTick.objects.get()
        assert (tick.due_at, tick.missed) == (datetime.fromisoformat("2026-03-27T06:00:00+00:00"), 3439)

    def test_one_whose_zone_is_gone_keeps_no_other_from_its_turn(self, kind: Make) -> None:
        kind()
        calendar("0 7 * * *", due="2026-03-01T03:00:00+00:00", time_zone="Atlantis/Center")
        schedule("good")
        assert schedules.run_due(START) == 1

    def test_a_standing_one_begins_at_its_next_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedules, "_standing", {})
        schedules.stand("mornings", "test.job", calendar="0 7 * * *", time_zone="Europe/Berlin")
        schedules.make_standing()
        schedules.make_standing()
        made = Schedule.objects.get()
        assert made.next_due_at > clock.now()
        assert made.next_due_at.astimezone(ZoneInfo("Europe/Berlin")).hour == 7


class TestMachines:
    def test_what_lies_on_each_machine_is_a_job_for_each_that_has_a_worker(self, kind: Make) -> None:
        kind(each_machine=True)
        for n, (host, pool) in enumerate([("one", "short"), ("one", "short"), ("two", "short"), ("three", "turns")]):
            Worker.objects.create(name=f"w{n}@{host}", pool=pool, host=host, pid=n)
        schedule()
        assert schedules.run_due(START) == 2
        assert sorted(Job.objects.values_list("host", flat=True)) == ["one", "two"]
        # A machine that has not done the last one is given no second.
        Job.objects.filter(host="two").update(state="succeeded")
        schedules.run_due(after(minutes=1))
        assert sorted(Job.objects.values_list("host", flat=True)) == ["one", "two", "two"]

    def test_without_any_worker_it_waits_for_one(self, kind: Make) -> None:
        kind(each_machine=True)
        schedule()
        assert schedules.run_due(START) == 1
        assert Job.objects.get().host == ""


class TestRestart:
    def test_what_has_read_the_old_pace_takes_nothing(self, kind: Make) -> None:
        kind()
        made = schedule(every=60, next_due_at=clock.now() - timedelta(seconds=5))
        Schedule.objects.filter(pk=made.pk).update(every_seconds=0, calendar="0 7 * * *")
        assert schedules._take(made, clock.now()) == 0
        schedules.restart(made)
        assert schedules._take(made, clock.now()) == 0
        made.refresh_from_db()
        assert made.next_due_at > clock.now() and made.next_due_at.hour == 7

    def test_a_due_time_that_was_taken_before_makes_no_second_job(self, kind: Make) -> None:
        kind()
        made = schedule()
        schedules.run_due(START)
        end_jobs()
        Schedule.objects.filter(pk=made.pk).update(next_due_at=START)
        assert schedules.run_due(START) == 0
        assert schedules.run_due(after(minutes=1)) == 1


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

    @pytest.mark.parametrize("missed", ["once", "all"])
    def test_three_beats_have_one_effect(self, kind: Make, engine: str, missed: str) -> None:
        kind()
        for n in range(5):
            calendar("*/5 * * * *", due="2026-03-29T00:00:00+00:00", missed=missed, name=f"c{n}")
        now = "2026-03-29T02:01:00+00:00"
        enqueued = race(_tick, [(now,)] * (3 if engine == "postgresql" else 2))
        each = 25 if missed == "all" else 1
        assert sum(enqueued) == 5 * each
        assert (ScheduleTick.objects.count(), Job.objects.count()) == (5 * each, 5 * each)

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
