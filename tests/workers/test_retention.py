"""What is kept how long: every table has a rule or a reason; forgetting is bounded and never takes history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core import clock
from portal.core.lifecycle import Refused
from portal.core.limits import BY_NAME
from tests.tickets import build
from tests.workers.racing import race
from workers import children, forgetting, leftovers, queue, retention, sweeping
from workers.agents import trials
from workers.models import (
    AgentVersion,
    Attempt,
    AttemptOutput,
    Job,
    JobState,
    Outcome,
    Schedule,
    ScheduleTick,
    Trial,
    Worker,
)

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)
Limits = Callable[..., None]
OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def days(number: float) -> timedelta:
    return timedelta(days=number)


def nightly() -> Schedule:
    return Schedule.objects.get_or_create(name="nightly", defaults={"kind": "test.job", "every_seconds": 60})[0]


def ended(state: str = "succeeded", *, ago: float, attempts: int = 1, pieces: int = 0) -> Job:
    """A job that ended so many days ago."""
    at = clock.now() - days(ago)
    made = Job.objects.create(kind="test.job", pool="short", state=state, finished_at=at, fence=attempts)
    for fence in range(1, attempts + 1):
        attempt = Attempt.objects.create(job=made, fence=fence, worker="w", outcome="failed", ended_at=at)
        written = [AttemptOutput(attempt=attempt, offset=n, length=1, text="x") for n in range(pieces)]
        AttemptOutput.objects.bulk_create(written)
    return made


def forget() -> int:
    """A whole round; nothing of another test's is under way."""
    retention._round = None
    return retention.go_on(60)


class TestEveryTable:
    def test_has_a_rule_or_a_reason_and_not_both(self) -> None:
        tables = {model._meta.label for model in apps.get_models(include_auto_created=True)}
        ruled = {table for rule in retention.rules() for table in rule.tables}
        kept = set(retention.kept())
        assert tables - ruled - kept == set(), "say in the layer whose table it is how long its rows are kept"
        assert ruled & kept == set()
        assert (ruled | kept) - tables == set(), "there is no such table"

    def test_a_limit_of_a_rule_is_one_and_the_handbook_names_every_rule(self) -> None:
        said = OPERATIONS.read_text(encoding="utf-8").partition("\n## What is kept how long\n")[2].partition("\n## ")[0]
        for rule in retention.rules():
            assert rule.limit == "" or rule.limit in BY_NAME
            assert f"| {rule.name} |" in said and rule.limit in said, rule.name

    def test_a_name_is_given_once(self) -> None:
        with pytest.raises(ValueError, match="two rules"):
            retention.retain("ticks", lambda: 0, tables=())


class TestJobs:
    @pytest.mark.parametrize(
        ("state", "kept", "gone"),
        [("succeeded", 29.9, 30.1), ("cancelled", 29.9, 30.1), ("dead", 179.9, 180.1)],
    )
    def test_go_with_all_that_is_theirs_once_their_time_is_over(self, state: str, kept: float, gone: float) -> None:
        young, old = ended(state, ago=kept, attempts=2, pieces=2), ended(state, ago=gone, attempts=2, pieces=2)
        tick = ScheduleTick.objects.create(schedule=nightly(), due_at=clock.now() - days(1), job=old)
        forget()
        assert list(Job.objects.all()) == [young] and Attempt.objects.count() == 2
        assert not AttemptOutput.objects.exclude(attempt__job=young).exists()
        tick.refresh_from_db()
        assert tick.job is None

    def test_that_have_not_ended_stay_however_old(self) -> None:
        long_ago = clock.now() - days(1000)
        Job.objects.create(kind="test.job", pool="short", created_at=long_ago, run_after=long_ago)
        fields = {"state": "running", "lease_until": long_ago, "worker": "w"}
        Job.objects.create(kind="test.job", pool="short", created_at=long_ago, **fields)
        forget()
        assert Job.objects.count() == 2

    def test_that_a_turn_a_check_or_a_merge_points_at_are_its_history(self, world: World) -> None:
        ticket = build.ticket(world.mc)
        turn = build.turn(ticket)
        merged = build.attempt()
        build.CheckRun.objects.create(attempt=merged, n=1, command=["true"], outcome="passed", seconds=1)
        Job.objects.update(finished_at=clock.now() - days(5000))
        Attempt.objects.update(ended_at=clock.now() - days(5000))
        lone = ended(ago=5000)
        forget()
        assert set(Job.objects.all()) == {turn.attempt.job, merged.job} and lone.pk
        assert build.CheckRun.objects.count() == 1

    def test_a_trial_stays_without_its_attempt(self) -> None:
        old = ended(ago=31)
        version = AgentVersion.objects.get(agent=build.agent())
        trial = Trial.objects.create(agent_version=version, attempt=old.attempts.get(), state="passed")
        forget()
        trial.refresh_from_db()
        assert trial.attempt is None and not Job.objects.exists()

    def test_kept_ones_in_front_keep_no_old_one_behind_them(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forgetting, "PORTION_ROWS", 2)
        ticket = build.ticket(world.mc)
        for seq in range(5):
            build.turn(ticket, seq=seq + 1)
        Job.objects.update(finished_at=clock.now() - days(5000))
        ended(ago=1)
        for _ in range(5):
            ended(ago=31, pieces=3)
        forget()
        assert Job.objects.count() == 6

    def test_a_requeue_and_forgetting_never_both_win(self, kind: Callable[..., str], engine: str) -> None:
        kind()
        rounds = 40 if engine == "postgresql" else 5
        jobs = [ended("dead", ago=200).pk for _ in range(rounds)]
        requeued, _ = race(_requeue_all, [(jobs,), ([],)])
        assert set(Job.objects.values_list("pk", flat=True)) == set(requeued)
        assert set(Attempt.objects.values_list("job_id", flat=True)) == set(requeued)


class TestOutputs:
    def test_go_with_their_time_though_the_turn_stays_and_its_page_says_so(self, world: World) -> None:
        from tickets import output

        ticket = build.ticket(world.mc)
        turns = [build.turn(ticket, seq=seq, output="said\n") for seq in (1, 2)]
        Attempt.objects.filter(turn=turns[0]).update(ended_at=clock.now() - days(90.1))
        Attempt.objects.filter(turn=turns[1]).update(ended_at=clock.now() - days(89.9))
        forget()
        old, young = (output.newest(turn.attempt_id, running=False) for turn in turns)
        assert (old.text, old.forgotten) == ("", 90)
        assert (young.text, young.forgotten) == ("said\n", 0)
        assert b"it is kept for 90 days" in output.as_text(turns[0].attempt_id, "x").content

    def test_what_runs_keeps_all_of_it(self) -> None:
        job = Job.objects.create(kind="t", pool="turns", state="running", worker="w", lease_until=clock.now())
        attempt = Attempt.objects.create(job=job, fence=1, worker="w", started_at=clock.now() - days(400))
        AttemptOutput.objects.create(attempt=attempt, offset=0, length=1, text="x")
        forget()
        assert AttemptOutput.objects.count() == 1


class TestOthers:
    def test_ticks_sessions_and_sign_ins_go_with_their_time(self) -> None:
        now, row = clock.now(), nightly()
        for ago in (29.9, 30.1):
            ScheduleTick.objects.create(schedule=row, due_at=now - days(ago))
        for n, ahead in enumerate((-0.1, 0.1)):
            Session.objects.create(session_key=f"s{n}", session_data="", expire_date=now + days(ahead))
        seen = {"ip_address": "192.0.2.1", "user_agent": "", "path_info": "/"}
        for model, own in ((AccessAttempt, {"failures_since_start": 1}), (AccessLog, {})):
            for n, ago in enumerate((89.9, 90.1)):
                made = model.objects.create(username=f"u{n}", **seen, **own)
                model.objects.filter(pk=made.pk).update(attempt_time=now - days(ago))
        forget()
        assert [tick.due_at for tick in ScheduleTick.objects.all()] == [now - days(29.9)]
        assert [row.session_key for row in Session.objects.all()] == ["s1"]
        assert [row.username for model in (AccessAttempt, AccessLog) for row in model.objects.all()] == ["u0", "u0"]

    def test_processes_go_a_day_after_they_were_seen(self) -> None:
        for n, ago in enumerate((0.9, 1.1)):
            Worker.objects.create(name=f"w{n}", pool="short", host="h", pid=n, seen_at=clock.now() - days(ago))
        forget()
        assert Worker.objects.get().name == "w0"


class TestPortions:
    def test_no_statement_takes_more_than_a_portion(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forgetting, "PORTION_ROWS", 3)
        for _ in range(4):
            ended(ago=31, attempts=1, pieces=4)
        for n in range(7):
            ScheduleTick.objects.create(schedule=nightly(), due_at=clock.now() - days(40 + n))
        with CaptureQueriesContext(connection) as said:
            forget()
        assert not Job.objects.exists() and not ScheduleTick.objects.exists() and not AttemptOutput.objects.exists()
        deletes = [query["sql"] for query in said if query["sql"].startswith("DELETE") and "workers_" in query["sql"]]
        assert deletes and all(sql.partition(" IN (")[2].count(",") < 3 for sql in deletes)

    def test_a_tick_spends_no_longer_than_a_moment_on_it_and_the_next_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forgetting, "PORTION_ROWS", 1)
        monkeypatch.setattr(sweeping, "PRUNE_SECONDS", 0.0)
        monkeypatch.setattr(sweeping, "_pruned_at", -sweeping.PRUNE_EVERY_SECONDS)
        monkeypatch.setattr(retention, "_round", None)
        for _ in range(3):
            ended(ago=31)
        ticks = 0
        while sweeping.prune_if_due():
            ticks += 1
            assert ticks < 100
        assert ticks > len(retention.rules()) and not Job.objects.exists()
        assert not sweeping.prune_if_due(), "it is over, and the next round is ten minutes away"

    def test_a_table_that_cannot_be_pruned_keeps_no_other_from_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> int:
            raise ZeroDivisionError

        broken = {"broken": retention.Rule("broken", (), "", fail), **retention._rules}
        monkeypatch.setattr(retention, "_rules", broken)
        ended(ago=31)
        forget()
        assert not Job.objects.exists()

    def test_what_somebody_holds_is_left_for_later(self, engine: str) -> None:
        if engine != "postgresql":
            return
        jobs = [ended(ago=31) for _ in range(3)]
        told = race(_hold_or_forget, [(jobs[1].pk,), (0,)])
        assert told[1] == 2
        assert list(Job.objects.all()) == [jobs[1]]

    def test_a_million_rows_that_are_young_are_not_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forgetting, "PORTION_ROWS", 2)
        for _ in range(9):
            ended(ago=1)
        rule = forgetting.EndedJobs(JobState.SUCCEEDED, "JOB_KEEP_DAYS")
        with CaptureQueriesContext(connection) as said:
            assert rule() == 0
        assert len([query for query in said if "workers_job" in query["sql"]]) == 1


class TestLeftovers:
    def test_spools_of_attempts_that_are_gone_go_and_those_of_others_stay(self, tmp_path: Path, settings: Any) -> None:
        settings.DATA_DIR = tmp_path
        known = build.attempt()
        Attempt.objects.filter(pk=known.pk).update(outcome=Outcome.RUNNING, ended_at=None)
        for name in (str(known.pk), "999999", "not-a-number"):
            (tmp_path / "spools" / name / "run").mkdir(parents=True)
            (tmp_path / "spools" / name / "run" / "stdout.spool").write_text("said")
        assert children.clear_unknown() == 1
        assert {path.name for path in (tmp_path / "spools").iterdir()} == {str(known.pk), "not-a-number"}
        assert children.clear_unknown() == 0

    def test_what_trials_that_are_over_left_goes(self, tmp_path: Path, settings: Any) -> None:
        settings.DATA_DIR = tmp_path
        version = AgentVersion.objects.get(agent=build.agent())
        live = Trial.objects.create(agent_version=version, state="running")
        over = Trial.objects.create(agent_version=version, state="failed")
        for name in (live.pk, over.pk, 999_999):
            (tmp_path / "trials" / str(name) / "repository").mkdir(parents=True)
        assert trials.clear_scratches() == 2
        assert [path.name for path in (tmp_path / "trials").iterdir()] == [str(live.pk)]

    def test_the_schedule_takes_in_all_of_them(self, tmp_path: Path, settings: Any, drain: Callable[..., int]) -> None:
        settings.DATA_DIR = tmp_path
        (tmp_path / "spools" / "999999").mkdir(parents=True)
        (tmp_path / "trials" / "999999").mkdir(parents=True)
        job = queue.enqueue(leftovers.KIND)
        drain()
        job.refresh_from_db()
        assert (job.state, job.error) == ("succeeded", "")
        assert not list((tmp_path / "spools").iterdir()) and not list((tmp_path / "trials").iterdir())


def _requeue_all(jobs: list[int]) -> list[int]:
    """Without any, this is the one that forgets."""
    if not jobs:
        retention._round = None
        retention.go_on(30)
        return []
    requeued = []
    for pk in reversed(jobs):
        try:
            job = queue.requeue(Job.objects.get(pk=pk))
        except (Refused, Job.DoesNotExist):
            continue
        requeued.append(job.pk)
    return requeued


def _hold_or_forget(held: int) -> int:
    import time

    from django.db import transaction

    if held:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=held)
            time.sleep(1.5)
        return 0
    time.sleep(0.5)
    return forgetting.EndedJobs(JobState.SUCCEEDED, "JOB_KEEP_DAYS")()
