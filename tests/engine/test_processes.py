"""Worker processes that are killed, stopped, cut off: every job ends, once, and in time."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from portal.core.models import Activity
from tests.engine.kinds import PHASES
from workers import queue
from workers.models import Attempt, Job, LaneSlot, Outcome, SubjectSlot

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]
LEASE = 6


def all_ended() -> bool:
    return not Job.objects.filter(state__in=["queued", "running"]).exists()


def assert_each_ended_once() -> None:
    """One final settling for each job, one beginning for each fence, nothing held any more."""
    settled = Activity.objects.filter(verb="test.settled")
    final = Counter(row.subject for row in settled if row.after["final"])
    assert final == {job.name: 1 for job in Job.objects.all()}
    began = Counter(Activity.objects.filter(verb="test.began").values_list("subject", flat=True))
    assert set(began.values()) <= {1}
    assert settled.count() == Attempt.objects.count()
    assert not Attempt.objects.filter(outcome=Outcome.RUNNING).exists()
    assert not LaneSlot.objects.filter(job__isnull=False).exists()
    assert not SubjectSlot.objects.exists()


class TestKill:
    def test_a_worker_killed_in_any_phase_costs_one_attempt_and_nothing_else(
        self, stack: Any, ready: Callable[..., list[Any]], engine: str
    ) -> None:
        stack.start_broker()
        workers = ready(short=5, turns=3) if engine == "postgresql" else ready(short=3, turns=1)
        phases = PHASES if engine == "postgresql" else PHASES[1:4:2]
        queue.set_lane("lane", 3)
        doomed = {}
        for number, phase in enumerate(phases):
            kind = "test.turns" if number % 3 == 2 else "test.slow"
            job = queue.enqueue(kind, payload={"dies": phase}, subject=f"s{number}", exclusive=True, lane="lane")
            doomed[job.pk] = phase
        for number in range(60 if engine == "postgresql" else 10):
            queue.enqueue("test.short", payload={"seconds": 0.01}, subject=f"other{number % 7}", exclusive=True)
        stack.wait("every kill", lambda: sum(w.poll() is not None for w in workers) == len(phases), 40)
        began = time.monotonic()
        stack.wait("the end of every job", all_ended, LEASE + 20)
        assert time.monotonic() - began < LEASE + 20
        assert all(worker.poll() in {None, -signal.SIGKILL} for worker in workers)
        assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}
        assert_each_ended_once()
        for job, phase in doomed.items():
            outcomes = list(Attempt.objects.filter(job=job).order_by("fence").values_list("outcome", flat=True))
            first = {"after the end": [], "after the claim": ["unseen"]}.get(phase, ["lost"])
            assert outcomes == [*first, "succeeded"], phase

    @pytest.mark.postgresql
    def test_a_job_that_kills_its_workers_is_dead_after_three_and_delays_no_other(
        self, stack: Any, ready: Callable[..., list[Any]]
    ) -> None:
        stack.start_broker()
        workers = ready(short=4)
        poison = queue.enqueue("test.slow", payload={"dies": "after the claim", "always": True})
        others = [queue.enqueue("test.short", subject=f"o{n}").pk for n in range(20)]
        done = Job.objects.filter(pk__in=others, state="succeeded")
        stack.wait("the others", lambda: done.count() == 20, LEASE + 20)
        assert Job.objects.get(pk=poison.pk).state != "dead", "nobody waited for its end"
        stack.wait("its end", lambda: Job.objects.get(pk=poison.pk).state == "dead", 3 * (LEASE + 15))
        assert [attempt.outcome for attempt in poison.attempts.all()] == [Outcome.UNSEEN] * 3
        assert sorted(str(worker.poll()) for worker in workers) == ["-9", "-9", "-9", "None"]
        poison.refresh_from_db()
        assert "lost before its first heartbeat" in poison.error

    @pytest.mark.postgresql
    def test_an_expired_lease_is_ended_in_time_while_every_slot_of_its_pool_is_held(
        self, stack: Any, ready: Callable[..., list[Any]]
    ) -> None:
        stack.start_broker()
        [sleeps, dies, _] = ready(turns=2, short=1)
        held = [queue.enqueue("test.turns", payload={"seconds": 90}) for _ in range(2)]
        running = Job.objects.filter(pk__in=[job.pk for job in held], state="running")
        stack.wait("both", lambda: running.count() == 2, 20)
        lost = next(job for job in running.all() if f":{dies.pid}:" in job.worker)
        dies.send_signal(signal.SIGKILL)
        # The one other worker of the pool is at work, and looks after nothing.
        stack.wait("its end", lambda: Job.objects.get(pk=lost.pk).state == "queued", LEASE + 20)
        assert lost.attempts.get().outcome in {Outcome.LOST, Outcome.UNSEEN}
        assert (running.count(), sleeps.poll()) == (1, None)
        Job.objects.filter(pk=lost.pk).update(payload={})
        ready(turns=1)
        stack.wait("its next go", lambda: Job.objects.get(pk=lost.pk).state == "succeeded", 20)


class TestStop:
    def test_a_worker_told_to_stop_hands_its_job_back_uncharged_and_goes(
        self, stack: Any, ready: Callable[..., list[Any]]
    ) -> None:
        stack.start_broker()
        [worker] = ready(short=1)
        job = queue.enqueue("test.slow", payload={"seconds": 60})
        waiting = [queue.enqueue("test.short").pk for _ in range(3)]
        stack.wait(
            "the job's start", lambda: Activity.objects.filter(verb="test.began", subject=f"{job.name}/1").exists()
        )
        worker.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert worker.wait(10) == 0
        assert time.monotonic() - began < 10
        job.refresh_from_db()
        assert (job.state, job.worker) == ("queued", "")
        assert Attempt.objects.get(job=job).outcome == Outcome.RELEASED
        Job.objects.filter(pk=job.pk).update(payload={})
        ready(short=1)
        stack.wait("the rest", all_ended, 20)
        assert set(Job.objects.filter(pk__in=[job.pk, *waiting]).values_list("state", flat=True)) == {"succeeded"}


class TestLostMessages:
    def test_due_work_is_taken_up_whatever_the_broker_does(self, stack: Any, ready: Callable[..., list[Any]]) -> None:
        # The broker is down from the start: the worker begins without it.
        ready(short=1)
        self._taken_up(stack, "before the broker was ever there")
        stack.start_broker()
        stack.wait("the connection", lambda: stack.said("Connected to") == 1, 40)
        stack.kill_broker()
        self._taken_up(stack, "with the broker down again")
        stack.start_broker()
        stack.wait("the connection", lambda: stack.said("Connected to") == 2, 40)
        for _ in range(2):
            job = queue.enqueue("test.short", delay_seconds=1)
            stack.flush_broker()
            self._wait_for(stack, job, "with every message flushed")
        os.kill(stack.broker.pid, signal.SIGSTOP)
        self._taken_up(stack, "with the broker paused")
        os.kill(stack.broker.pid, signal.SIGCONT)
        self._taken_up(stack, "with the broker going on")
        assert all(process.poll() is None for process in stack.processes)

    def _taken_up(self, stack: Any, when: str) -> None:
        self._wait_for(stack, queue.enqueue("test.short"), when)

    def _wait_for(self, stack: Any, job: Job, when: str) -> None:
        began = time.monotonic()
        stack.wait(f"a job {when}", lambda: Job.objects.get(pk=job.pk).state == "succeeded", 20)
        print(f"{when}: {time.monotonic() - began:.1f} s")


@pytest.mark.postgresql
class TestDatabaseSessions:
    def test_killed_sessions_cost_no_worker_and_no_job(self, stack: Any, ready: Callable[..., list[Any]]) -> None:
        stack.start_broker()
        workers = ready(short=2, turns=1)
        for number in range(60):
            kind = ("test.short", "test.slow", "test.turns")[number % 3]
            queue.enqueue(kind, payload={"seconds": 0.1}, subject=f"s{number % 9}", exclusive=True)
        killed = 0
        for _ in range(6):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                killed += cursor.fetchone()[0]
            time.sleep(0.7)
        stack.wait("the end of every job", all_ended, LEASE + 30)
        assert killed >= 6
        assert [worker.poll() for worker in workers] == [None] * 3
        assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}
        assert_each_ended_once()
