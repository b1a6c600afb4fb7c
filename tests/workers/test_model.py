"""The engine against a model of it: any order of what people, workers and the clock do has the predicted outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portal.core.lifecycle import Refused
from workers import claims, kinds, queue, sweeping
from workers.claims import Claim, LeaseLost
from workers.ending import end_attempt, succeed
from workers.kinds import Ending
from workers.models import Attempt, Job, Lane, LaneSlot, Outcome, Pool, SubjectSlot

BUDGET = {"failed": 2, "lost": 2, "timed_out": 2}
FAILURES = st.sampled_from([Outcome.FAILED, Outcome.TIMED_OUT, Outcome.BAD_INPUT])
SLOTS = 2


@dataclass
class Expected:
    """A job as it must be."""

    key: str
    lane: str
    subject: str
    priority: int
    number: int
    state: str = "queued"
    fence: int = 0
    cancel_asked: bool = False
    expired: bool = False
    outcomes: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    def end(self, outcome: str) -> None:
        if self.cancel_asked and outcome != "succeeded":
            outcome = "cancelled"
        self.outcomes.append(outcome)
        self.counted[outcome] = self.counted.get(outcome, 0) + 1
        again = outcome == "released" or self.counted[outcome] < BUDGET.get(outcome, 0)
        final = {"succeeded": "succeeded", "cancelled": "cancelled"}.get(outcome, "dead")
        self.state = "queued" if again else final
        self.expired = False


class Engine(RuleBasedStateMachine):
    settles = True
    jobs = Bundle("jobs")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        for table in (SubjectSlot, LaneSlot, Lane, Attempt, Job):
            table.objects.all().delete()
        queue.set_lane("lane", SLOTS)
        self.model: dict[int, Expected] = {}
        self.settled: list[tuple[int, str]] = []
        self.cancelled_waiting = 0
        settle = self.settle if self.settles else kinds.nothing_to_settle
        kinds.register(kinds.Kind("test.model", "Model", Pool.SHORT, lambda claim: None, settle))

    def teardown(self) -> None:
        kinds._kinds.pop("test.model")

    def settle(self, ending: Ending) -> None:
        self.settled.append((ending.job_id, str(ending.outcome)))

    @rule(
        target=jobs,
        key=st.sampled_from(["", "k1", "k2"]),
        lane=st.sampled_from(["", "lane"]),
        subject=st.sampled_from(["", "s1", "s2"]),
        priority=st.integers(0, 2),
    )
    def enqueue(self, key: str, lane: str, subject: str, priority: int) -> int:
        living = [pk for pk, job in self.model.items() if key and job.key == key and job.state in {"queued", "running"}]
        job = queue.enqueue(
            "test.model", unique_key=key, lane=lane, subject=subject, exclusive=bool(subject), priority=priority
        )
        if living:
            assert [job.pk] == living
        else:
            assert job.pk not in self.model
            self.model[job.pk] = Expected(key, lane, subject, priority, len(self.model))
        return job.pk

    @rule(target=held)
    def claim(self) -> Any:
        """The first that may run, by priority and age. Retries are due at once here."""
        Job.objects.filter(state="queued").update(run_after=F("created_at"))
        running = [job for job in self.model.values() if job.state == "running"]
        taken = {job.subject for job in running if job.subject}
        full = sum(1 for job in running if job.lane) >= SLOTS
        free = [
            (job.priority, job.number, pk)
            for pk, job in self.model.items()
            if job.state == "queued" and not (job.lane and full) and job.subject not in taken - {""}
        ]
        claimed = claims.claim("short", ["test.model"], worker="w", most=1)
        assert [claim.job_id for claim in claimed] == [pk for _, _, pk in sorted(free)[:1]]
        if not claimed:
            return multiple()
        job = self.model[claimed[0].job_id]
        job.state, job.fence = "running", job.fence + 1
        assert claimed[0].fence == job.fence
        return claimed[0]

    def is_current(self, claim: Claim) -> bool:
        job = self.model[claim.job_id]
        return job.state == "running" and job.fence == claim.fence

    @rule(claim=held)
    def renew(self, claim: Claim) -> None:
        job = self.model[claim.job_id]
        assert claims.renew([claim]) == ({claim.job_id: job.cancel_asked} if self.is_current(claim) else {})
        job.expired = job.expired and not self.is_current(claim)

    @rule(claim=held)
    def write(self, claim: Claim) -> None:
        wrote = False
        try:
            with claim.fenced():
                wrote = True
        except LeaseLost:
            pass
        assert wrote == self.is_current(claim)
        if wrote:
            self.model[claim.job_id].expired = False

    @rule(job=jobs)
    def expire(self, job: int) -> None:
        if self.model[job].state == "running":
            Job.objects.filter(pk=job).update(lease_until=F("lease_until") - timedelta(hours=1))
            # Long before: its lease was renewed since.
            Attempt.objects.filter(job=job, outcome="running").update(started_at=F("started_at") - timedelta(hours=2))
            self.model[job].expired = True

    @rule()
    def sweep(self) -> None:
        expired = [job for job in self.model.values() if job.expired]
        assert sweeping.sweep() == len(expired)
        for job in expired:
            job.end("lost")

    def end(self, claim: Claim, outcome: Outcome) -> None:
        current = self.is_current(claim)
        assert end_attempt(claim.job_id, claim.fence, outcome) is current
        if current:
            self.model[claim.job_id].end(outcome)

    @rule(claim=held)
    def finish(self, claim: Claim) -> None:
        current = self.is_current(claim)
        assert succeed(claim.job_id, claim.fence, claim.kind, None) is current
        if current:
            self.model[claim.job_id].end("succeeded")

    @rule(claim=consumes(held), outcome=FAILURES)
    def fail(self, claim: Claim, outcome: Outcome) -> None:
        self.end(claim, outcome)

    @precondition(lambda self: any(job.state == "running" for job in self.model.values()))
    @rule(target=held)
    def lose_and_take_again(self) -> Any:
        """The way to a stale claim that drives a job which runs: each of these leaves one behind."""
        pk = min(pk for pk, job in self.model.items() if job.state == "running")
        self.expire(pk)
        self.sweep()
        return self.claim()

    @rule(claim=held)
    def release(self, claim: Claim) -> None:
        self.end(claim, Outcome.RELEASED)

    @rule(job=jobs)
    def cancel(self, job: int) -> None:
        expected = self.model[job]
        try:
            queue.cancel(Job.objects.get(pk=job), reason="r")
        except Refused:
            assert expected.state in {"succeeded", "dead", "cancelled"}
            return
        assert expected.state in {"queued", "running"}
        if expected.state == "queued":
            expected.state = "cancelled"
            self.cancelled_waiting += self.settles
        else:
            expected.cancel_asked = True

    @precondition(lambda self: any(job.state in {"dead", "cancelled"} for job in self.model.values()))
    @rule(job=jobs)
    def requeue(self, job: int) -> None:
        expected = self.model[job]
        rival = any(
            other.key == expected.key and other.state in {"queued", "running"}
            for pk, other in self.model.items()
            if expected.key and pk != job
        )
        try:
            queue.requeue(Job.objects.get(pk=job))
        except Refused:
            assert rival or expected.state not in {"dead", "cancelled"}
            return
        assert expected.state in {"dead", "cancelled"} and not rival
        expected.state, expected.cancel_asked, expected.counted = "queued", False, {}
        expected.fence += 1

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        rows = {job.pk: job for job in Job.objects.all()}
        assert {pk: (job.state, job.fence, job.cancel_at is not None) for pk, job in rows.items()} == {
            pk: (job.state, job.fence, job.cancel_asked) for pk, job in self.model.items()
        }
        outcomes: dict[int, list[str]] = {pk: [] for pk in self.model}
        for attempt in Attempt.objects.order_by("job_id", "fence"):
            outcomes[attempt.job_id].append(attempt.outcome)
        assert outcomes == {
            pk: job.outcomes + (["running"] if job.state == "running" else []) for pk, job in self.model.items()
        }
        running = {pk for pk, job in self.model.items() if job.state == "running"}
        assert {pk for pk, job in rows.items() if job.lease_until and job.worker} == running
        slots = LaneSlot.objects.filter(job__isnull=False).values_list("job_id", flat=True)
        assert set(slots) == {pk for pk in running if self.model[pk].lane}
        assert set(SubjectSlot.objects.values_list("job_id", "subject")) == {
            (pk, self.model[pk].subject) for pk in running if self.model[pk].subject
        }
        ended = sum(len(job.outcomes) for job in self.model.values())
        assert len(self.settled) - self.cancelled_waiting == (ended if self.settles else 0)


class PlainEngine(Engine):
    """Of a kind that settles nothing: its success is one statement."""

    settles = False


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine_of_kind", [Engine, PlainEngine])
def test_every_order_of_events_has_the_modelled_outcome(engine_of_kind: type[Engine], limit: Any) -> None:
    limit(JOB_MAX_FAILURES=2, JOB_MAX_LOSSES=2, JOB_MAX_TIMEOUTS=2)
    if connection.vendor == "sqlite":
        # 20,000 commits, and no power is lost here.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        engine_of_kind,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
