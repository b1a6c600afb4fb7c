"""A claim: one winner, in order, within the limits of lanes and subjects; and what holding it means."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from portal.core import clock
from portal.core.clock import Wall
from tests.workers.racing import race
from workers import claims, kinds, presence, queue, sweeping
from workers.claims import Claim, LeaseLost
from workers.draining import Drain
from workers.ending import end_attempt
from workers.leases import LeaseKeeper
from workers.models import Attempt, Job, JobState, LaneSlot, Outcome, SubjectSlot

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]


def take(most: int = 1, worker: str = "worker@test") -> list[Claim]:
    return claims.claim("short", ["test.job"], worker=worker, most=most)


def expire(*jobs: int) -> None:
    Job.objects.filter(pk__in=jobs, state=JobState.RUNNING).update(lease_until=F("lease_until") - timedelta(hours=1))


class TestOneWinner:
    def test_a_claim_is_a_running_job_with_a_lease_and_an_attempt(self, kind: Make, limit: Any) -> None:
        kind()
        limit(LEASE_SECONDS=60, LEASE_MARGIN_SECONDS=10)
        queue.enqueue("test.job", subject="ticket:MC-1", payload={"id": 1}, audience="project:1")
        before = clock.now()
        [claim] = take()
        job, attempt = Job.objects.get(), Attempt.objects.get()
        assert (job.state, job.worker, job.fence) == ("running", "worker@test", 1)
        assert (attempt.pk, attempt.job_id, attempt.fence, attempt.outcome) == (claim.attempt_id, job.pk, 1, "running")
        assert (claim.job_id, claim.fence, claim.subject, claim.payload) == (job.pk, 1, "ticket:MC-1", {"id": 1})
        assert claim.audience == "project:1"
        assert job.lease_until is not None
        assert timedelta(seconds=59) <= job.lease_until - before <= timedelta(seconds=70)
        assert 48 < claim.seconds_left <= 50

    def test_of_many_processes_each_job_has_one(self, kind: Make, engine: str) -> None:
        kind()
        jobs, processes, rounds = (500, 16, 3) if engine == "postgresql" else (60, 3, 2)
        _many(jobs)
        taken: list[tuple[int, int, str]] = []
        for turn in range(rounds):
            won = race(
                _take_all, [(f"worker-{turn}-{n}", random.Random(n).choice([1, 7, 50])) for n in range(processes)]
            )
            claimed = [row for rows in won for row in rows]
            assert Counter(job for job, _, _ in claimed) == Counter(Job.objects.values_list("pk", flat=True))
            assert {fence for _, fence, _ in claimed} == {turn + 1}, "fences rise by one with each claim"
            taken += claimed
            # All are handed back at once for the next round.
            Attempt.objects.filter(outcome=Outcome.RUNNING).update(outcome=Outcome.RELEASED, ended_at=Wall())
            Job.objects.update(state=JobState.QUEUED, worker="", lease_until=None)
        attempts = Attempt.objects.values_list("job_id", "fence", "worker")
        assert sorted(attempts) == sorted(taken), "one attempt for each claim, by the worker that won it"

    def test_nothing_due_is_found_without_writing(self, kind: Make) -> None:
        kind()
        assert take(50) == []

    def test_only_its_kinds_of_its_pool_are_taken(self, kind: Make) -> None:
        from workers.models import Pool

        kind()
        kind("test.turn", pool=Pool.TURNS)
        kind("test.other")
        queue.enqueue("test.turn")
        queue.enqueue("test.other")
        assert take(10) == []
        assert claims.claim("turns", ["test.job", "test.other"], worker="w", most=9) == []
        assert claims.claim("short", [], worker="w", most=9) == []


class TestOrder:
    def test_smaller_priority_first_then_what_is_due_longer_then_what_is_older(self, kind: Make) -> None:
        kind()
        names = {
            queue.enqueue("test.job", priority=5).pk: "urgent no, old",
            queue.enqueue("test.job", priority=0).pk: "second",
            queue.enqueue("test.job", priority=0).pk: "first: due earlier",
            queue.enqueue("test.job", priority=-3).pk: "before all",
        }
        jobs = list(names)
        Job.objects.filter(pk=jobs[2]).update(run_after=clock.now() - timedelta(minutes=1))
        assert [names[claim.job_id] for claim in take(4)] == [
            "before all",
            "first: due earlier",
            "second",
            "urgent no, old",
        ]

    def test_a_job_of_the_future_waits_whatever_its_priority(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job", priority=-100, delay_seconds=3600)
        due = queue.enqueue("test.job", priority=100)
        assert [claim.job_id for claim in take(5)] == [due.pk]


class TestLanes:
    @pytest.mark.parametrize("slots", [1, 3])
    def test_its_limit_holds_in_every_race(self, kind: Make, engine: str, slots: int) -> None:
        kind()
        processes, jobs, races = (16, 100, 1000) if engine == "postgresql" else (3, 40, 100)
        queue.set_lane("agent:1", slots)
        _many(jobs, lane="agent:1")
        workers = [(f"w{n}", 1, races // processes) for n in range(processes)]
        spans = [span for spans in race(_work_off, workers) for span in spans]
        assert Counter(job for job, _, _ in spans) == Counter(Job.objects.values_list("pk", flat=True))
        assert _most_at_once((began, ended) for _, began, ended in spans) <= slots
        assert not LaneSlot.objects.filter(job__isnull=False).exists()

    def test_a_batch_takes_no_more_than_is_free_and_goes_on_to_other_lanes(self, kind: Make) -> None:
        kind()
        queue.set_lane("a", 2)
        queue.set_lane("b", 1)
        for lane in ["a"] * 4 + ["b"] * 2 + [""]:
            queue.enqueue("test.job", lane=lane)
        taken = [Job.objects.get(pk=claim.job_id).lane for claim in take(50)]
        assert Counter(taken) == {"a": 2, "b": 1, "": 1}
        assert take(50) == []

    def test_a_full_lane_does_not_hide_what_stands_behind_it(self, kind: Make) -> None:
        kind()
        queue.set_lane("a", 1)
        for _ in range(5):
            queue.enqueue("test.job", lane="a", priority=-5)
        free = queue.enqueue("test.job")
        assert len(take(1)) == 1
        assert [claim.job_id for claim in take(1)] == [free.pk]

    def test_lowered_while_jobs_run_it_is_filled_no_more_until_it_holds(self, kind: Make) -> None:
        kind()
        queue.set_lane("a", 3)
        for _ in range(5):
            queue.enqueue("test.job", lane="a")
        running = take(3)
        queue.set_lane("a", 1)
        slots = dict(LaneSlot.objects.values_list("job_id", "n"))
        # The two over the limit end first, then the one within it.
        for claim in sorted(running, key=lambda claim: -slots[claim.job_id]):
            assert take(5) == []
            end_attempt(claim.job_id, claim.fence, Outcome.SUCCEEDED)
        assert len(take(5)) == 1

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o != Outcome.RUNNING])
    def test_every_end_frees_the_slot_and_the_subject(self, kind: Make, outcome: Outcome) -> None:
        kind()
        queue.set_lane("a", 1)
        queue.enqueue("test.job", lane="a", subject="s", exclusive=True)
        [claim] = take()
        end_attempt(claim.job_id, claim.fence, outcome)
        assert (LaneSlot.objects.get().job_id, SubjectSlot.objects.count()) == (None, 0)


class TestSubjects:
    def test_an_exclusive_subject_never_runs_twice_at_once(self, kind: Make, engine: str) -> None:
        kind()
        processes, jobs, subjects = (8, 150, 5) if engine == "postgresql" else (3, 40, 4)
        queue.set_lane("a", 3)
        _many(
            jobs,
            subject=lambda n: f"s{n % subjects}",
            exclusive=True,
            lane=lambda n: "a" if n % 2 else "",
            priority=lambda n: n % 3,
        )
        workers = [(f"w{n}", 4, 50) for n in range(processes)]
        spans = [span for spans in race(_work_off, workers) for span in spans]
        subject = dict(Job.objects.values_list("pk", "subject"))
        assert Counter(job for job, _, _ in spans) == Counter(subject.keys())
        for name in set(subject.values()):
            assert _most_at_once((began, ended) for job, began, ended in spans if subject[job] == name) == 1
        assert not LaneSlot.objects.filter(job__isnull=False).exists()
        assert not SubjectSlot.objects.exists()

    def test_a_job_that_loses_its_subject_leaves_no_lane_slot_taken(self, kind: Make) -> None:
        kind()
        queue.set_lane("a", 3)
        for _ in range(3):
            queue.enqueue("test.job", lane="a", subject="s", exclusive=True)
        assert len(take(3)) == 1
        assert LaneSlot.objects.filter(job__isnull=True).count() == 2
        assert Attempt.objects.count() == 1

    def test_others_of_the_same_subject_that_are_not_exclusive_run_beside_it(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job", subject="s", exclusive=True)
        queue.enqueue("test.job", subject="s")
        assert len(take(5)) == 2


class TestUnknownKind:
    def test_after_a_while_it_is_dead_and_says_bad_input(self, kind: Make, limit: Any) -> None:
        limit(RETRY_CAP_SECONDS=60)
        name = kind()
        old, young, future = (queue.enqueue(name, delay_seconds=seconds) for seconds in (0, 0, 600))
        known = kinds._kinds.pop(name)
        Job.objects.filter(pk=old.pk).update(run_after=clock.now() - timedelta(seconds=61))
        try:
            assert sweeping.refuse_unknown() == 1
        finally:
            kinds._kinds[name] = known
        old.refresh_from_db()
        assert (old.state, "Bad input" in old.error, "test.job" in old.error) == ("dead", True, True)
        assert set(Job.objects.filter(state="queued")) == {young, future}, "new code may be on its way to a worker"

    def test_it_blocks_nobody_meanwhile(self, kind: Make, drain: Callable[[], int]) -> None:
        kind()
        queue.enqueue(kind("test.gone"), priority=-9)
        queue.enqueue("test.job")
        gone = kinds._kinds.pop("test.gone")
        try:
            assert drain() == 1
        finally:
            kinds._kinds["test.gone"] = gone


class TestLease:
    def test_renewal_moves_its_end_and_hears_of_a_cancel(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job")
        [claim] = take()
        expire(job.pk)
        assert claims.renew([claim]) == {job.pk: False}
        job.refresh_from_db()
        assert job.lease_until is not None
        assert job.lease_until > clock.now()
        queue.cancel(job, reason="stop")
        assert claims.renew([claim]) == {job.pk: True}

    def test_an_expired_lease_that_nobody_took_may_still_renew(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job")
        [claim] = take()
        expire(claim.job_id)
        with claim.fenced() as work:
            work.record("test.written", "x")
        assert sweeping.sweep() == 0

    def test_a_lease_that_was_taken_renews_no_more(self, kind: Make) -> None:
        kind()
        queue.enqueue("test.job")
        [old] = take()
        end_attempt(old.job_id, old.fence, Outcome.RELEASED)
        [new] = take()
        assert claims.renew([old]) == {}
        assert claims.renew([old, new]) == {new.job_id: False}
        with pytest.raises(LeaseLost), old.fenced():
            pytest.fail("a stale claim entered its transaction")
        assert old.lost

    def test_a_worker_distrusts_its_lease_before_it_ends(self, kind: Make, limit: Any) -> None:
        limit(LEASE_SECONDS=3, HEARTBEAT_SECONDS=1, LEASE_MARGIN_SECONDS=2)
        kind()
        queue.enqueue("test.job")
        [claim] = take()
        claim.check()
        time.sleep(1.05)
        with pytest.raises(LeaseLost):
            claim.check()
        assert sweeping.sweep() == 0, "the database holds it a margin longer"

    def test_the_keeper_renews_without_the_handler_and_marks_what_was_lost(self, kind: Make, limit: Any) -> None:
        limit(LEASE_SECONDS=3, HEARTBEAT_SECONDS=1, LEASE_MARGIN_SECONDS=1)
        kind()
        held, stolen = queue.enqueue("test.job"), queue.enqueue("test.job")
        batch = take(2)
        keeper = LeaseKeeper("worker@test")
        presence.arrived("worker@test", "short")
        with keeper.holding(batch):
            keeper.start()
            end_attempt(stolen.pk, 1, Outcome.RELEASED)
            until = time.monotonic() + 3.5
            while time.monotonic() < until:
                assert sweeping.sweep() == 0
                time.sleep(0.2)
            keeper.stop()
        by_job = {claim.job_id: claim for claim in batch}
        by_job[held.pk].check()
        assert by_job[stolen.pk].lost

    def test_claims_that_wait_in_a_batch_are_not_begun_once_lost_or_cancelled(self, kind: Make, limit: Any) -> None:
        limit(LEASE_SECONDS=6, HEARTBEAT_SECONDS=1, LEASE_MARGIN_SECONDS=2)
        begun: list[int] = []

        def run(claim: Claim) -> None:
            begun.append(claim.job_id)
            race(_take_away, [(lost, cancelled)])
            time.sleep(1.6)

        kind(run=run, batch=50)
        first, lost, cancelled = (queue.enqueue("test.job").pk for _ in range(3))
        keeper = LeaseKeeper("worker@test")
        keeper.start()
        Drain("short", "worker@test", keeper, lambda: False).run()
        keeper.stop()
        assert begun == [first]
        assert Job.objects.get(pk=cancelled).state == JobState.CANCELLED
        assert Job.objects.get(pk=lost).worker == "another"


def _take_all(worker: str, most: int) -> list[tuple[int, int, str]]:
    won: list[tuple[int, int, str]] = []
    while claimed := take(most, worker):
        won += [(claim.job_id, claim.fence, worker) for claim in claimed]
    return won


def _work_off(worker: str, most: int, tries: int) -> list[tuple[int, float, float]]:
    """(job, began, ended) as this process saw it: from after its claim to before its end. Tries so often at least."""
    spans: list[tuple[int, float, float]] = []
    while tries > 0 or Job.objects.filter(state__in=["queued", "running"]).exists():
        tries -= 1
        for claim in take(most, worker):
            began = time.monotonic()
            time.sleep(0.0005)
            ended = time.monotonic()
            if end_attempt(claim.job_id, claim.fence, Outcome.SUCCEEDED):
                spans.append((claim.job_id, began, ended))
    return spans


def _most_at_once(spans: Iterator[tuple[float, float]]) -> int:
    steps = sorted(step for began, ended in spans for step in ((began, 1), (ended, -1)))
    now = most = 0
    for _, change in steps:
        now += change
        most = max(most, now)
    return most


def _take_away(lost: int, cancelled: int) -> None:
    """One job of another's batch goes to a third worker, one is cancelled."""
    queue.cancel(Job.objects.get(pk=cancelled), reason="not needed")
    end_attempt(lost, 1, Outcome.RELEASED)
    assert [claim.job_id for claim in take(1, "another")] == [lost]


def _many(number: int, **fields: Any) -> None:
    """Queued jobs, fast; ``fields`` may be functions of their number."""
    rows = [{name: value(n) if callable(value) else value for name, value in fields.items()} for n in range(number)]
    Job.objects.bulk_create([Job(kind="test.job", pool="short", **row) for row in rows])
