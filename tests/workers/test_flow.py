"""What is held back, bounded, or let past: pauses, limits of kinds, floods; and what attempts took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.core.lifecycle import Gone
from portal.core.models import Activity
from tests.workers.racing import race
from workers import claims, draining, presence, queue
from workers.claims import Claim
from workers.ending import end_attempt
from workers.models import Attempt, Job, Lane, LaneSlot, Outcome, Pause, Pool, Worker

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
DrainOnce = Callable[..., int]


def take(*kinds: str, most: int = 10) -> list[Claim]:
    return claims.claim("short", kinds or ["test.job"], worker="worker@test", most=most)


class TestPause:
    @pytest.mark.parametrize("name", ["pool:short", "kind:test.job"])
    def test_what_is_paused_is_not_claimed_until_it_is_resumed(self, kind: Make, name: str) -> None:
        kind()
        queue.enqueue("test.job")
        [held] = take()
        waits = queue.enqueue("test.job")
        assert queue.pause(name, reason="The provider is down.")
        assert take() == []
        assert claims.renew([held]) == {held.job_id: False}, "what runs goes on"
        assert end_attempt(held.job_id, held.fence, Outcome.SUCCEEDED)
        assert queue.resume(name, reason="It is back.")
        assert [claim.job_id for claim in take()] == [waits.pk]

    def test_a_paused_kind_keeps_no_other_waiting(self, kind: Make) -> None:
        kind()
        kind("test.other")
        queue.enqueue("test.job")
        other = queue.enqueue("test.other")
        queue.pause("kind:test.job", reason="Wait.")
        assert [claim.job_id for claim in take("test.job", "test.other")] == [other.pk]

    def test_who_paused_when_and_why_is_kept(self, kind: Make) -> None:
        kind()
        assert queue.pause("kind:test.job", reason="Wait.")
        assert not queue.pause("kind:test.job", reason="Again."), "it was paused"
        row = Pause.objects.get()
        assert (row.name, row.reason) == ("kind:test.job", "Wait.")
        assert queue.resume("kind:test.job", reason="Go.")
        assert not queue.resume("kind:test.job", reason="Go.")
        told = Activity.objects.filter(subject="kind:test.job").order_by("id").values_list("verb", "reason")
        assert list(told) == [("queue.paused", "Wait."), ("queue.resumed", "Go.")]

    @pytest.mark.parametrize("name", ["pool:none", "kind:none", "short", "", "lane:a"])
    def test_what_is_no_queue_is_not_paused(self, name: str) -> None:
        for change in (queue.pause, queue.resume):
            with pytest.raises(LookupError):
                change(name, reason="Wait.")

    def test_of_many_who_pause_at_once_one_does(self, kind: Make) -> None:
        kind()
        assert sorted(race(_pause, [(n,) for n in range(4)])) == [False, False, False, True]
        assert Activity.objects.filter(verb="queue.paused").count() == 1


class TestLimitOfAKind:
    def test_no_more_run_at_once_than_its_lane_has_slots(self, kind: Make) -> None:
        kind()
        waiting = [queue.enqueue("test.job").pk for _ in range(3)]
        queue.set_lane(queue.kind_lane("test.job"), 2)
        later = queue.enqueue("test.job")
        assert later.lane == "kind:test.job"
        queue.enqueue_many("test.job", [{}, {}])
        assert Job.objects.filter(lane="kind:test.job").count() == 6
        first = take()
        assert [claim.job_id for claim in first] == waiting[:2]
        assert take() == []
        end_attempt(first[0].job_id, first[0].fence, Outcome.SUCCEEDED)
        assert [claim.job_id for claim in take()] == waiting[2:], "and one slot is all that was free"

    def test_jobs_that_have_a_lane_keep_it(self, kind: Make) -> None:
        kind()
        job = queue.enqueue("test.job", lane="agent:1")
        queue.set_lane(queue.kind_lane("test.job"), 1)
        job.refresh_from_db()
        assert job.lane == "agent:1"
        assert queue.enqueue("test.job", lane="agent:1").lane == "agent:1"

    def test_it_holds_whoever_claims(self, kind: Make) -> None:
        kind()
        queue.set_lane(queue.kind_lane("test.job"), 2)
        for _ in range(20):
            queue.enqueue("test.job")
        taken = race(_take_one, [()] * 6)
        assert sum(taken) <= 2
        assert LaneSlot.objects.filter(job__isnull=False).count() == sum(taken)
        assert Lane.objects.get(name="kind:test.job").slots == 2


class TestFlood:
    def test_a_flood_of_one_kind_lets_others_past(
        self, kind: Make, drain: DrainOnce, limit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran: list[str] = []
        for name in ("test.flood", "test.late"):
            kind(name, run=lambda claim: ran.append(claim.kind), batch=10)
        limit(DRAIN_BATCH_JOBS=10)
        monkeypatch.setattr(draining, "OTHERS_SECONDS", 0.0)
        queue.enqueue_many("test.flood", [{} for _ in range(200)])
        queue.enqueue("test.late")
        assert drain() == 201
        assert ran.index("test.late") <= 20, "and not behind all of the flood"


class TestWhatItTook:
    def test_processor_time_is_kept_and_memory_where_a_child_had_it(self, kind: Make, drain: DrainOnce) -> None:
        def work(claim: Claim) -> None:
            sum(range(3_000_000))
            claim.spent(1.5, 4096)
            claim.spent(0.5, 1024)

        kind(run=work)
        queue.enqueue("test.job")
        drain()
        attempt = Attempt.objects.get()
        assert attempt.cpu_ms is not None and 2010 < attempt.cpu_ms < 20_000
        assert attempt.memory_bytes == 4096

    @pytest.mark.parametrize("fails", [False, True])
    def test_what_ended_otherwise_has_it_too(self, kind: Make, drain: DrainOnce, fails: bool) -> None:
        def work(claim: Claim) -> None:
            if fails:
                raise ValueError("no")

        kind(run=work)
        queue.enqueue("test.job")
        drain()
        assert Attempt.objects.get().cpu_ms is not None

    def test_what_never_began_took_nothing(self, kind: Make, drain: DrainOnce) -> None:
        asked: list[int] = []
        kind(run=lambda claim: asked.append(1), batch=50)
        for _ in range(2):
            queue.enqueue("test.job")
        drain(stopping=lambda: bool(asked))
        released = Attempt.objects.get(outcome=Outcome.RELEASED)
        assert (released.cpu_ms, released.memory_bytes) == (None, None)


def test_a_worker_says_which_code_and_which_schema_it_is_of() -> None:
    from portal import __version__

    presence.arrived("short@here:1:2", Pool.SHORT)
    worker = Worker.objects.get()
    assert worker.version == __version__
    assert len(worker.schema) == 12


def test_an_attempt_names_the_machine_of_its_worker(kind: Make) -> None:
    kind()
    queue.enqueue("test.job")
    claims.claim("short", ["test.job"], worker="short@box-3:11:12", most=1)
    assert Attempt.objects.get().host == "box-3"


def _pause(number: int) -> bool:
    return queue.pause("kind:test.job", reason=f"Reason {number}.")


def _take_one() -> int:
    return len(take(most=3))


def test_a_requeue_keeps_its_reason(kind: Make) -> None:
    kind()
    job = queue.enqueue("test.job")
    queue.cancel(job, reason="stop")
    queue.requeue(Job.objects.get(), reason="The disk has room again.")
    assert Activity.objects.get(verb="job.requeued").reason == "The disk has room again."


def test_a_job_that_was_forgotten_meanwhile_is_said_to_be_gone(kind: Make) -> None:
    kind()
    job = queue.cancel(queue.enqueue("test.job"), reason="stop")
    Job.objects.all().delete()
    with pytest.raises(Gone):
        queue.requeue(job, reason="Go.")
