"""How attempts end: one end each, with its subject, whoever ends it; budgets; what happens when settling fails."""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F

from portal.core import clock, unit
from portal.core.models import Activity
from tests.workers.racing import race
from workers import claims, failures, queue, sweeping
from workers.claims import Claim
from workers.ending import end_attempt
from workers.kinds import Ending
from workers.models import Attempt, Job, JobState, LaneSlot, Outcome, SubjectSlot

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
DrainOnce = Callable[..., int]


def take(most: int = 1, worker: str = "worker@test") -> list[Claim]:
    return claims.claim("short", ["test.job"], worker=worker, most=most)


def make_due() -> None:
    Job.objects.filter(state=JobState.QUEUED).update(run_after=F("created_at"))


def expire(*, seen: bool = True) -> None:
    """Let the leases of what runs be over: renewed before (``seen``), or as the claims set them."""
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=F("lease_until") - timedelta(hours=1))
    ago = timedelta(hours=2 if seen else 1)
    Attempt.objects.filter(outcome=Outcome.RUNNING).update(started_at=F("started_at") - ago)


def run_to_the_end(drain: DrainOnce, most: int = 20) -> int:
    """How many goes the job had until nothing was due any more."""
    goes = 0
    for _ in range(most):
        make_due()
        goes += drain()
        if not Job.objects.filter(state__in=["queued", "running"]).exists():
            return goes
    raise AssertionError("it never ended")


def raising(error: Exception) -> Callable[[Any], None]:
    def raise_it(_: Any) -> None:
        raise error

    return raise_it


class TestBudgets:
    @pytest.mark.parametrize(
        ("error", "budget", "outcome"),
        [
            (ZeroDivisionError("surprise"), "JOB_MAX_FAILURES", "failed"),
            (failures.JobFailed("The ticket is locked."), "JOB_MAX_FAILURES", "failed"),
            (failures.TimedOut("Took longer than 5 s."), "JOB_MAX_TIMEOUTS", "timed_out"),
        ],
    )
    def test_each_class_has_its_own_then_the_job_is_dead_with_every_error(
        self, kind: Make, drain: DrainOnce, limit: Any, error: Exception, budget: str, outcome: str
    ) -> None:
        limit(JOB_MAX_FAILURES=9, JOB_MAX_TIMEOUTS=9, JOB_MAX_LOSSES=9)
        limit(**{budget: 4})
        kind(run=raising(error))
        queue.enqueue("test.job")
        assert run_to_the_end(drain) == 4
        job = Job.objects.get()
        assert (job.state, job.worker, job.lease_until) == ("dead", "", None)
        assert str(error) in job.error
        assert [(a.outcome, str(error) in a.error) for a in job.attempts.all()] == [(outcome, True)] * 4

    def test_losses_are_counted_apart_from_failures(self, kind: Make, limit: Any) -> None:
        limit(JOB_MAX_FAILURES=3, JOB_MAX_LOSSES=2, JOB_MAX_TIMEOUTS=2)
        kind()
        job = queue.enqueue("test.job")
        states = []
        for outcome in (Outcome.FAILED, Outcome.LOST, Outcome.TIMED_OUT, Outcome.FAILED, Outcome.LOST):
            make_due()
            end_attempt(job.pk, take()[0].fence, outcome)
            job.refresh_from_db()
            states.append(job.state)
        assert states == ["queued"] * 4 + ["dead"]

    def test_bad_input_is_final_at_once(self, kind: Make, drain: DrainOnce) -> None:
        kind(run=raising(failures.BadInput("No such ticket.")))
        queue.enqueue("test.job")
        assert run_to_the_end(drain) == 1
        assert (Job.objects.get().state, Job.objects.get().error) == ("dead", "No such ticket.")

    def test_a_job_handed_back_is_due_at_once_and_charged_nothing(self, kind: Make, limit: Any) -> None:
        limit(JOB_MAX_FAILURES=1, JOB_MAX_LOSSES=1, JOB_MAX_TIMEOUTS=1)
        kind()
        job = queue.enqueue("test.job")
        for _ in range(5):
            [claim] = take()
            assert end_attempt(job.pk, claim.fence, Outcome.RELEASED)
        assert take()[0].fence == 6

    def test_a_job_that_its_provider_let_not_through_is_charged_nothing(
        self, kind: Make, drain: DrainOnce, limit: Any
    ) -> None:
        limit(JOB_MAX_FAILURES=1, JOB_MAX_LOSSES=1, JOB_MAX_TIMEOUTS=1)
        kind(run=raising(failures.RateLimited("Too many requests.")))
        job = queue.enqueue("test.job")
        for earlier in range(4):
            assert drain() == 1
            job.refresh_from_db()
            attempt = job.attempts.order_by("-fence")[0]
            assert (job.state, attempt.outcome, attempt.error) == ("queued", "rate_limited", "Too many requests.")
            least = 0.1 * min(600, 60 * 2**earlier)
            assert (job.run_after - clock.now()).total_seconds() > least - 1
            Job.objects.update(run_after=clock.now())

    def test_a_retry_waits_for_its_backoff(self, kind: Make, drain: DrainOnce, limit: Any) -> None:
        limit(RETRY_FIRST_SECONDS=100, RETRY_CAP_SECONDS=100)
        kind(run=raising(ZeroDivisionError()))
        queue.enqueue("test.job")
        drain()
        waits = (Job.objects.get().run_after - clock.now()).total_seconds()
        assert 5 < waits <= 100
        assert drain() == 0

    def test_a_failing_job_keeps_no_other_from_its_turn(self, kind: Make, drain: DrainOnce) -> None:
        def run(claim: Claim) -> None:
            if claim.payload.get("poison"):
                raise ZeroDivisionError

        kind(run=run, batch=50)
        for n in range(20):
            queue.enqueue("test.job", payload={"poison": n % 2 == 0})
        drain()
        assert Counter(Job.objects.values_list("state", flat=True)) == {"queued": 10, "succeeded": 10}

    def test_the_stored_error_is_bounded_and_redacted_of_nuls(self, kind: Make, drain: DrainOnce, limit: Any) -> None:
        limit(ERROR_TEXT_CHARS=100)
        kind(run=raising(failures.JobFailed("x" * 500 + "\x00end")))
        queue.enqueue("test.job")
        drain()
        assert Attempt.objects.get().error == "x" * 96 + "\ufffdend"

    def test_two_workers_that_end_one_attempt_end_it_once(self, kind: Make) -> None:
        kind(settle=_record_settled)
        jobs = [queue.enqueue("test.job").pk for _ in range(30)]
        fences = {claim.job_id: claim.fence for claim in take(30)}
        won = race(_end_all, [(jobs, fences, outcome) for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.LOST)])
        assert sorted(job for mine in won for job in mine) == jobs
        assert Activity.objects.filter(verb="test.settled").count() == len(jobs)


class TestSettle:
    def test_it_is_told_of_every_end_and_whether_it_is_the_last(self, kind: Make, drain: DrainOnce, limit: Any) -> None:
        limit(JOB_MAX_FAILURES=2)
        told: list[Ending] = []
        kind(run=raising(failures.JobFailed("no")), settle=told.append)
        job = queue.enqueue("test.job", subject="ticket:MC-1", payload={"id": 1})
        run_to_the_end(drain)
        attempts = list(job.attempts.order_by("fence").values_list("pk", flat=True))
        assert [(e.job_id, e.attempt_id, e.subject, e.payload, e.outcome, e.error, e.final) for e in told] == [
            (job.pk, attempts[0], "ticket:MC-1", {"id": 1}, "failed", "no", False),
            (job.pk, attempts[1], "ticket:MC-1", {"id": 1}, "failed", "no", True),
        ]

    def test_a_queued_job_that_is_cancelled_is_settled_too(self, kind: Make) -> None:
        told: list[Ending] = []
        kind(settle=told.append)
        queue.cancel(queue.enqueue("test.job"), reason="not needed")
        assert [(e.attempt_id, e.outcome, e.error, e.final) for e in told] == [(None, "cancelled", "not needed", True)]

    def test_what_it_writes_is_written_with_the_end_or_not_at_all(self, kind: Make) -> None:
        def settle(ending: Ending) -> None:
            _record_settled(ending)
            raise ZeroDivisionError

        kind(settle=settle)
        job = queue.enqueue("test.job")
        [claim] = take()
        with pytest.raises(ZeroDivisionError):
            end_attempt(job.pk, claim.fence, Outcome.SUCCEEDED)
        job.refresh_from_db()
        assert (job.state, Activity.objects.filter(verb="test.settled").count()) == ("running", 0)

    def test_one_that_cannot_take_a_success_makes_it_a_failure(self, kind: Make, drain: DrainOnce, limit: Any) -> None:
        limit(JOB_MAX_FAILURES=2)
        seen: list[str] = []

        def settle(ending: Ending) -> None:
            seen.append(ending.outcome)
            if ending.outcome == Outcome.SUCCEEDED:
                raise ZeroDivisionError("cannot take it")

        kind(settle=settle)
        job = queue.enqueue("test.job")
        assert run_to_the_end(drain) == 2
        job.refresh_from_db()
        assert job.state == JobState.DEAD
        assert "cannot take it" in job.error
        assert seen == ["succeeded", "failed"] * 2

    @pytest.mark.parametrize("run", [None, raising(ZeroDivisionError("run"))])
    def test_one_that_always_raises_makes_a_dead_job_and_blocks_nobody(
        self, kind: Make, drain: DrainOnce, run: Any
    ) -> None:
        kind(run=run, settle=raising(ValueError("settle is broken")))
        kind("test.other")
        queue.set_lane("a", 1)
        job = queue.enqueue("test.job", lane="a", subject="s", exclusive=True, priority=-1)
        other = queue.enqueue("test.other", lane="a", subject="s", exclusive=True)
        assert drain() == 2
        job.refresh_from_db()
        other.refresh_from_db()
        assert (job.state, other.state) == ("dead", "succeeded")
        assert "settle is broken" in job.error
        assert Attempt.objects.get(job=job).outcome == Outcome.FAILED
        assert Activity.objects.filter(verb="job.unsettled", subject=job.name).exists()
        assert queue.requeue(job).state == JobState.QUEUED

    def test_one_whose_database_errors_never_end_gives_the_worker_back(
        self, kind: Make, drain: DrainOnce, limit: Any
    ) -> None:
        limit(LEASE_SECONDS=3, LEASE_MARGIN_SECONDS=1, HEARTBEAT_SECONDS=1)
        tries: list[float] = []

        def settle(ending: Ending) -> None:
            tries.append(time.monotonic())
            raise OperationalError("canceling statement due to lock timeout")

        kind(settle=settle)
        kind("test.other")
        queue.enqueue("test.job", priority=-1)
        queue.enqueue("test.other")
        began = time.monotonic()
        assert drain() == 2
        assert time.monotonic() - began < 10
        assert len(tries) <= 5, "not a hot loop"
        assert Job.objects.get(kind="test.other").state == JobState.SUCCEEDED

    def test_the_sweep_too_ends_what_cannot_be_settled(self, kind: Make) -> None:
        kind(settle=raising(ValueError("settle is broken")))
        queue.set_lane("a", 1)
        job = queue.enqueue("test.job", lane="a")
        take()
        expire()
        assert sweeping.sweep() == 1
        assert sweeping.sweep() == 0
        job.refresh_from_db()
        assert job.state == JobState.DEAD
        assert LaneSlot.objects.get().job_id is None


class TestSweep:
    def test_an_expired_lease_is_ended_once_by_many_sweepers(self, kind: Make, engine: str) -> None:
        kind(settle=_record_settled)
        queue.set_lane("a", 50)
        jobs = [queue.enqueue("test.job", lane="a", subject=f"s{n}", exclusive=True).pk for n in range(50)]
        assert len(take(50)) == 50
        expire()
        swept = race(_sweep, [()] * (8 if engine == "postgresql" else 3))
        assert sum(swept) == 50
        assert set(Attempt.objects.values_list("job_id", "outcome")) == {(job, "lost") for job in jobs}
        assert Activity.objects.filter(verb="test.settled").count() == 50
        assert not SubjectSlot.objects.exists()
        assert not LaneSlot.objects.filter(job__isnull=False).exists()

    def test_it_names_the_worker_that_was_lost(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job")
        take(worker="short@host:77:1")
        expire()
        sweeping.sweep()
        assert Attempt.objects.get().error == "Worker short@host:77:1 was lost: its lease ran out."

    def test_a_worker_that_never_said_a_word_is_told_apart(self, kind: Make, limit: Any) -> None:
        kind()
        limit(JOB_MAX_UNSEEN=2, JOB_MAX_LOSSES=1)
        job = queue.enqueue("test.job")
        for state in ("queued", "dead"):
            take(worker="short@host:77:1")
            expire(seen=False)
            assert sweeping.sweep() == 1
            make_due()
            job.refresh_from_db()
            assert job.state == state, "a class of its own, with its own budget"
        assert {attempt.outcome for attempt in job.attempts.all()} == {Outcome.UNSEEN}
        assert job.error == "Worker short@host:77:1 was lost before its first heartbeat."

    def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job")
        take()
        queue.cancel(job, reason="stop")
        expire()
        sweeping.sweep()
        job.refresh_from_db()
        assert (job.state, Attempt.objects.get().outcome) == ("cancelled", "cancelled")

    def test_a_lease_renewed_while_the_sweep_looks_is_left_alone(self, kind: Make) -> None:
        renewed: list[Claim] = []
        # The settling of the first is a moment after the sweep has read both, and before it ends the second.
        kind(settle=lambda ending: claims.renew(renewed))
        lost, alive = queue.enqueue("test.job"), queue.enqueue("test.job")
        renewed += take(2)[1:]
        expire()
        assert sweeping.sweep() == 1
        lost.refresh_from_db()
        alive.refresh_from_db()
        assert (lost.state, alive.state) == ("queued", "running")

    def test_live_leases_are_left_alone(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job")
        take()
        assert sweeping.sweep() == 0


class TestStopping:
    def test_the_rest_of_a_batch_is_handed_back_uncharged(self, kind: Make, drain: DrainOnce) -> None:
        asked: list[bool] = []
        kind(run=lambda claim: asked.append(True), batch=50)
        for _ in range(5):
            queue.enqueue("test.job")
        assert drain(stopping=lambda: bool(asked)) == 5
        assert Counter(Attempt.objects.values_list("outcome", flat=True)) == {"succeeded": 1, "released": 4}
        assert Job.objects.filter(state="queued").count() == 4
        assert len(take(50)) == 4, "and due at once"

    def test_a_handler_that_is_interrupted_hands_its_job_back(self, kind: Make, drain: DrainOnce) -> None:
        stop: list[bool] = []

        def run(claim: Claim) -> None:
            stop.append(True)
            claim.check()

        kind(run=run)
        queue.enqueue("test.job")
        drain(stopping=lambda: bool(stop))
        assert (Job.objects.get().state, Attempt.objects.get().outcome) == ("queued", "released")


class TestOrderOfKinds:
    def test_a_stream_of_short_jobs_does_not_starve_the_others(self, kind: Make, drain: DrainOnce, limit: Any) -> None:
        limit(DRAIN_BATCH_JOBS=2)
        order: list[str] = []
        for name, batch in (("test.job", 50), ("test.long", 1)):
            kind(name, run=lambda claim: order.append(claim.kind), batch=batch)
            for _ in range(6 if batch > 1 else 2):
                queue.enqueue(name)
        drain()
        assert order[:6] == ["test.job"] * 2 + ["test.long"] + ["test.job"] * 2 + ["test.long"]

    def test_the_last_of_many_that_queue_each_other_begins_no_deeper_than_the_first(
        self, kind: Make, drain: DrainOnce
    ) -> None:
        depths: list[int] = []

        def run(claim: Claim) -> None:
            depths.append(len(inspect.stack(0)))
            if len(depths) < 20:
                with claim.fenced():
                    queue.enqueue("test.job")

        kind(run=run)
        queue.enqueue("test.job")
        drain()
        assert len(depths) == 20
        assert set(depths) == {depths[0]}


def _record_settled(ending: Ending) -> None:
    unit.current().record("test.settled", f"job:{ending.job_id}", after={"outcome": ending.outcome})


def _end_all(jobs: list[int], fences: dict[int, int], outcome: Outcome) -> list[int]:
    return [job for job in jobs if end_attempt(job, fences[job], outcome)]


def _sweep() -> int:
    return sweeping.sweep()
