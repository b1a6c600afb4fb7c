"""Enqueue, cancel, requeue: what is asked for exists once, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from portal.core.lifecycle import Refused
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests.workers.racing import race
from workers import claims, queue
from workers.ending import end_attempt
from workers.models import Attempt, Job, JobState, Lane, LaneSlot, Outcome, SubjectSlot

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]


def take(most: int = 1, *, worker: str = "worker@test", kinds: tuple[str, ...] = ("test.job",)) -> list[claims.Claim]:
    return claims.claim("short", kinds, worker=worker, most=most)


class TestEnqueue:
    def test_a_job_of_a_rolled_back_transaction_does_not_exist(self, kind: Make) -> None:
        kind()
        with pytest.raises(ZeroDivisionError), unit_of_work():
            queue.enqueue("test.job")
            raise ZeroDivisionError
        assert not Job.objects.exists()

    def test_a_job_is_not_claimable_before_its_transaction_has_committed(self, kind: Make) -> None:
        kind()
        with transaction.atomic():
            queue.enqueue("test.job")
            if connection.vendor == "postgresql":
                assert race(_claimed, [(1,)]) == [0]
        assert len(take()) == 1

    def test_what_it_was_asked_for_is_what_it_is(self, kind: Make) -> None:
        kind()
        job = queue.enqueue(
            "test.job", subject="ticket:MC-1", payload={"id": 7}, lane="agent:1", audience="project:1", priority=3
        )
        found = Job.objects.get()
        assert found == job
        assert (found.state, found.pool, found.fence, found.worker) == ("queued", "short", 0, "")
        assert (found.subject, found.payload, found.lane) == ("ticket:MC-1", {"id": 7}, "agent:1")
        assert (found.audience, found.priority, found.lease_until) == ("project:1", 3, None)
        assert found.run_after == job.run_after

    def test_a_kind_that_nobody_registered_is_refused(self) -> None:
        with pytest.raises(LookupError, match="test.unknown"):
            queue.enqueue("test.unknown")

    def test_an_exclusive_job_must_name_its_subject(self, kind: Make) -> None:
        kind()
        with pytest.raises(ValueError, match="subject"):
            queue.enqueue("test.job", exclusive=True)

    def test_a_delayed_job_is_not_due_yet(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job", delay_seconds=60)
        assert take() == []


class TestUniqueKey:
    def test_the_first_wins_while_it_is_queued_and_while_it_runs(self, kind: Make) -> None:
        kind()
        first = queue.enqueue("test.job", unique_key="k", payload={"n": 1})
        assert queue.enqueue("test.job", unique_key="k", payload={"n": 2}) == first
        take()
        assert queue.enqueue("test.job", unique_key="k") == first
        assert Job.objects.get().payload == {"n": 1}

    @pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.BAD_INPUT, Outcome.CANCELLED])
    def test_after_the_first_has_ended_a_new_one_is_made(self, kind: Make, outcome: Outcome) -> None:
        kind()
        first = queue.enqueue("test.job", unique_key="k")
        assert end_attempt(first.pk, take()[0].fence, outcome)
        assert queue.enqueue("test.job", unique_key="k") != first
        assert Job.objects.count() == 2

    def test_the_same_key_of_another_kind_is_another_key(self, kind: Make) -> None:
        kind()
        kind("test.other")
        assert queue.enqueue("test.job", unique_key="k") != queue.enqueue("test.other", unique_key="k")

    def test_the_caller_s_transaction_survives_the_collision(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job", unique_key="k")
        with unit_of_work():
            queue.enqueue("test.job", unique_key="k")
            queue.enqueue("test.job", unique_key="other")
        assert Job.objects.count() == 2

    def test_without_a_key_nothing_is_returned_in_place_of_a_failed_insert(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job")
        with pytest.raises(IntegrityError):
            queue.enqueue("test.job", payload=None, audience=None)  # type: ignore[arg-type]

    def test_fifty_at_once_make_one_job(self, kind: Make, engine: str) -> None:
        kind()
        processes = 10 if engine == "postgresql" else 3
        found = race(_enqueue_many, [("k", 5)] * processes)
        assert len({job for jobs in found for job in jobs}) == 1
        assert Job.objects.count() == 1


class TestCancel:
    def test_a_queued_job_ends_at_once(self, kind: Make) -> None:
        kind()
        job = queue.cancel(queue.enqueue("test.job"), reason="not needed")
        assert (job.state, job.error) == ("cancelled", "not needed")
        assert job.finished_at is not None
        assert Activity.objects.get(verb="job.cancelled").reason == "not needed"
        assert take() == []

    def test_a_running_job_is_asked_to_stop_and_its_worker_hears_of_it(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job")
        [claim] = take()
        assert queue.cancel(job, reason="wrong one").state == JobState.RUNNING
        with claim.fenced():
            pass
        with pytest.raises(claims.Cancelled):
            claim.check()

    def test_a_job_that_has_ended_refuses(self, kind: Make, drain: Callable[[], int]) -> None:
        kind()
        job = queue.enqueue("test.job")
        drain()
        with pytest.raises(Refused, match="succeeded"):
            queue.cancel(job, reason="late")
        assert Job.objects.get().cancel_at is None

    def test_a_handler_that_is_cancelled_ends_as_cancelled(self, kind: Make, drain: Callable[[], int]) -> None:
        def run(claim: claims.Claim) -> None:
            race(_cancel, [(claim.job_id,)])
            with claim.fenced():
                pass
            claim.check()

        kind(run=run)
        queue.enqueue("test.job")
        drain()
        assert (Job.objects.get().state, Attempt.objects.get().outcome) == ("cancelled", "cancelled")

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.LOST, Outcome.TIMED_OUT, Outcome.RELEASED])
    def test_what_would_go_again_does_not_once_a_cancel_was_asked(self, kind: Make, outcome: Outcome) -> None:
        kind()
        job = queue.enqueue("test.job")
        [claim] = take()
        queue.cancel(job, reason="stop")
        assert end_attempt(job.pk, claim.fence, outcome, error="it broke")
        job.refresh_from_db()
        assert (job.state, Attempt.objects.get().outcome) == ("cancelled", "cancelled")
        assert "it broke" in job.error

    def test_work_that_was_done_before_the_cancel_was_heard_stays_done(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job")
        [claim] = take()
        queue.cancel(job, reason="stop")
        assert end_attempt(job.pk, claim.fence, Outcome.SUCCEEDED)
        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED

    def test_two_hundred_races_with_the_end_have_one_final_state_each(self, kind: Make, engine: str) -> None:
        kind()
        number = 200 if engine == "postgresql" else 40
        jobs = [queue.enqueue("test.job").pk for _ in range(number)]
        half = number // 2
        # One half is running when the race begins, the other waits for its claim.
        held = {claim.job_id: claim.fence for claim in take(half)}
        ends, refused = race(_race_with_end, [("end", jobs, held), ("cancel", jobs, held)])
        for job in Job.objects.all():
            attempts = list(job.attempts.all())
            assert job.state in {JobState.SUCCEEDED, JobState.CANCELLED}
            assert (job.lease_until, job.worker) == (None, "")
            assert all(attempt.outcome != Outcome.RUNNING for attempt in attempts)
            assert (job.pk in ends) == (job.state == JobState.SUCCEEDED), "an end that was told is the end"
            if job.pk in refused:
                assert job.state == JobState.SUCCEEDED
        assert Activity.objects.filter(verb__startswith="job.cancel").count() == number - len(refused)


class TestRequeue:
    def dead(self, **options: Any) -> Job:
        job = queue.enqueue("test.job", **options)
        end_attempt(job.pk, take()[0].fence, Outcome.BAD_INPUT, error="no such ticket")
        job.refresh_from_db()
        assert job.state == JobState.DEAD
        return job

    def test_gives_every_budget_back_and_keeps_the_attempts(self, kind: Make, limit: Any) -> None:
        kind()
        limit(JOB_MAX_FAILURES=1)
        job = queue.enqueue("test.job")
        end_attempt(job.pk, take()[0].fence, Outcome.FAILED, error="first life")
        limit(JOB_MAX_FAILURES=2, RETRY_FIRST_SECONDS=1)
        job = queue.requeue(job)
        assert job.state == JobState.QUEUED
        [claim] = take()
        end_attempt(job.pk, claim.fence, Outcome.FAILED, error="second life")
        job.refresh_from_db()
        assert job.state == JobState.QUEUED, "one failure of two in this life"
        assert list(job.attempts.order_by("fence").values_list("error", "counted")) == [
            ("first life", False),
            ("second life", True),
        ]

    def test_a_stale_claim_from_before_the_requeue_holds_nothing(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job")
        [old] = take()
        end_attempt(job.pk, old.fence, Outcome.BAD_INPUT)
        queue.requeue(job)
        with pytest.raises(claims.LeaseLost), old.fenced():
            pass
        [new] = take()
        assert new.fence > old.fence

    def test_the_layer_above_is_told_in_the_same_transaction(self, kind: Make) -> None:
        told: list[tuple[str, dict[str, int]]] = []

        def refuse(subject: str, payload: dict[str, int]) -> None:
            told.append((subject, payload))
            raise Refused("The ticket is closed.")

        kind(requeued=refuse)
        job = self.dead(subject="ticket:MC-1", payload={"id": 1})
        with pytest.raises(Refused, match="closed"):
            queue.requeue(job)
        job.refresh_from_db()
        assert (job.state, told) == (JobState.DEAD, [("ticket:MC-1", {"id": 1})])

    def test_while_another_job_with_its_key_lives_it_is_refused(self, kind: Make) -> None:
        kind()
        job = self.dead(unique_key="k")
        queue.enqueue("test.job", unique_key="k")
        with pytest.raises(Refused, match="on its way"):
            queue.requeue(job)
        job.refresh_from_db()
        assert job.state == JobState.DEAD

    @pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
    def test_only_a_dead_or_cancelled_job_goes_again(self, kind: Make, state: str) -> None:
        kind()
        job = queue.enqueue("test.job")
        if state != "queued":
            [claim] = take()
            if state == "succeeded":
                end_attempt(job.pk, claim.fence, Outcome.SUCCEEDED)
        with pytest.raises(Refused, match=state):
            queue.requeue(job)


def test_a_lowered_lane_keeps_its_rows_and_a_raised_one_gets_more() -> None:
    queue.set_lane("agent:1", 3)
    queue.set_lane("agent:1", 1)
    assert (Lane.objects.get().slots, LaneSlot.objects.count()) == (1, 3)
    queue.set_lane("agent:1", 4)
    assert LaneSlot.objects.count() == 4
    assert not SubjectSlot.objects.exists()


def _claimed(most: int) -> int:
    return len(take(most))


def _enqueue_many(key: str, times: int) -> list[int]:
    return [queue.enqueue("test.job", unique_key=key).pk for _ in range(times)]


def _cancel(job: int) -> None:
    queue.cancel(Job.objects.get(pk=job), reason="stop")


def _race_with_end(role: str, jobs: list[int], held: dict[int, int]) -> set[int]:
    """The ended (by "end", which claims what is not held yet) or the refused (by "cancel") jobs."""
    found: set[int] = set()
    for pk in jobs:
        if role == "cancel":
            try:
                queue.cancel(Job.objects.get(pk=pk), reason="race")
            except Refused:
                found.add(pk)
            continue
        fence = held.get(pk)
        outcome = Outcome.SUCCEEDED if pk % 2 else Outcome.RELEASED
        if fence is None:
            claimed = take()
            if not claimed:
                continue
            pk, fence = claimed[0].job_id, claimed[0].fence
        if outcome is Outcome.RELEASED and end_attempt(pk, fence, outcome):
            continue
        if end_attempt(pk, fence, Outcome.SUCCEEDED):
            found.add(pk)
    return found


def test_a_job_in_a_lane_that_nobody_set_has_one_slot(kind: Make) -> None:
    kind()
    jobs = [queue.enqueue("test.job", lane="unheard-of") for _ in range(2)]
    assert [claim.job_id for claim in take(2)] == [jobs[0].pk]
