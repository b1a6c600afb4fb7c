"""A job's page: what it waits for, how its attempts went, what it writes, and how it is cancelled and requeued."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.core import clock
from portal.core.models import Activity
from workers import claims, output, presence, queue
from workers.agents import trials
from workers.models import Agent, AgentVersion, Attempt, Breaker, Job, LaneSlot, SubjectSlot

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.pages


@pytest.fixture
def as_admin(world: World, sign_in: Callable[[User | None], Client]) -> Client:
    return sign_in(world.admin)


def shown(client: Client, job: Job) -> str:
    return client.get(reverse("job", args=[job.pk])).content.decode()


@pytest.fixture
def job(db: None) -> Job:
    agent = Agent.objects.create(name="dev")
    AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", trusted=True, command=["true"], wall_seconds=60, silence_seconds=60
    )
    trials.ask(agent)
    return Job.objects.get()


def test_a_job_of_one_machine_says_so_and_whether_a_worker_is_there(as_admin: Client, job: Job) -> None:
    Job.objects.update(host="build-7")
    page = shown(as_admin, job)
    assert "It waits for a worker of the machine <bdi>build-7</bdi>" in page
    assert "No worker of that machine is alive" in page
    presence.arrived("turns@build-7", "turns")
    presence.Worker.objects.update(host="build-7")
    assert "A worker of that machine is alive" in shown(as_admin, job)
    queue.cancel(job, reason="no")
    assert "It waits for" not in shown(as_admin, job)


def test_a_job_of_any_machine_says_nothing_of_it(as_admin: Client, job: Job) -> None:
    assert "It waits for" not in shown(as_admin, job)


@pytest.mark.django_db(transaction=True)
def test_what_a_running_job_writes_is_followed_live_and_read_again_whole(as_admin: Client, job: Job) -> None:
    address = reverse("job_output", args=[job.pk])
    assert as_admin.get(address).status_code == 404
    [claim] = claims.claim("turns", [trials.KIND], worker="w", most=1)
    output.store(claim, [(0, 6, "begun\n")])
    page = shown(as_admin, job)
    assert f'data-live="output:{claim.attempt_id}"' in page
    assert "begun\n" in page
    assert "begun\n" in as_admin.get(address).content.decode()


def dead(world: World, **fields: Any) -> Job:
    given = {"kind": "sample", "pool": "short", "audience": world.mc.scope, "state": "dead"}
    return Job.objects.create(**given | {"finished_at": clock.now()} | fields)


def tried(job: Job, fence: int, outcome: str, **fields: Any) -> Attempt:
    """An attempt of ten seconds, half a minute after the one before."""
    began = clock.now() - timedelta(minutes=10) + timedelta(seconds=30 * fence)
    given = {"worker": "short@build-7:12:99", "started_at": began, "ended_at": began + timedelta(seconds=10)}
    return Attempt.objects.create(job=job, fence=fence, outcome=outcome, **given | fields)


class TestAttempts:
    def test_each_is_told_on_a_line_of_time_with_what_it_took(self, world: World, as_admin: Client) -> None:
        job = dead(world)
        tried(job, 1, "unseen", counted=False)
        tried(job, 2, "failed", cpu_ms=1234, memory_bytes=34 * 1024 * 1024, error="Traceback\nNo space left")
        answer = as_admin.get(reverse("job", args=[job.pk]))
        page = answer.content.decode()
        first, second = reversed(answer.context["attempts"])
        assert (first.x, second.x + second.width) == (0, pytest.approx(100, abs=0.1))
        assert first.width == second.width == pytest.approx(25, abs=0.1)
        for words in ("Lost at once", "Not counted", "Failed", "build-7", "short@build-7:12:99", "1.23 s of processor"):
            assert words in page
        assert "34.0\xa0MB of memory" in page
        assert "<summary" in page.partition("No space left")[0].rpartition("<details>")[2]

    def test_what_is_used_up_of_each_budget_leaves_out_what_was_given_back(
        self, world: World, as_admin: Client
    ) -> None:
        job = dead(world, max_failures=4)
        for fence, (outcome, counted) in enumerate(
            [("failed", False), ("failed", True), ("lost", True), ("failed", True), ("parked", True)], 1
        ):
            tried(job, fence, outcome, counted=counted)
        assert "2 of 4 failures, 1 of 3 losses. Handed back" in shown(as_admin, job)
        tried(job, 6, "timed_out")
        assert "2 of 4 failures, 1 of 3 losses, 1 of 2 time-outs." in shown(as_admin, job)

    def test_more_of_them_cost_no_query_and_say_when_they_are_cut(self, world: World, as_admin: Client) -> None:
        job = dead(world)
        tried(job, 1, "failed")
        shown(as_admin, job)
        with CaptureQueriesContext(connection) as few:
            assert "Older attempts" not in shown(as_admin, job)
        for fence in range(2, 53):
            tried(job, fence, "failed")
        with CaptureQueriesContext(connection) as many:
            assert "Older attempts are in the admin." in shown(as_admin, job)
        assert len(many) == len(few)


class TestWhatHoldsIt:
    @pytest.fixture
    def waits(self, world: World) -> Job:
        return dead(world, state="queued", finished_at=None, subject="ticket:MC-1")

    @pytest.fixture
    def holder(self, world: World) -> Job:
        return dead(world, state="running", worker="w", lease_until=clock.now(), finished_at=None)

    def test_nothing(self, as_admin: Client, waits: Job) -> None:
        presence.arrived("short@here:1:1", "short")
        assert "Nothing holds it: the next free worker of its pool takes it. 1 is alive." in shown(as_admin, waits)

    def test_no_worker_of_its_pool(self, as_admin: Client, waits: Job) -> None:
        presence.arrived("turns@here:1:1", "turns")
        assert "No worker of its pool is alive" in shown(as_admin, waits)

    def test_the_time_of_its_next_attempt(self, as_admin: Client, waits: Job) -> None:
        Job.objects.update(run_after=clock.now() + timedelta(seconds=150))
        page = shown(as_admin, waits)
        assert ">in 2 min</time>" in page
        assert "Nothing holds it" not in page

    def test_a_paused_pool_or_kind(self, as_admin: Client, waits: Job) -> None:
        queue.pause("pool:short", reason="The disk is full.")
        page = shown(as_admin, waits)
        assert "Its pool is paused" in page
        assert "The disk is full." in page
        queue.resume("pool:short", reason="x")
        assert "is paused" not in shown(as_admin, waits)

    def test_a_full_lane_and_who_is_in_it(self, as_admin: Client, waits: Job, holder: Job) -> None:
        queue.set_lane("narrow", 1)
        Job.objects.filter(pk=waits.pk).update(lane="narrow")
        assert "may at once" not in shown(as_admin, waits)
        LaneSlot.objects.update(job=holder)
        page = shown(as_admin, waits)
        assert "As many of its lane run as may at once: 1" in page
        assert f'<a href="/workers/jobs/{holder.pk}/">' in page

    def test_a_busy_subject(self, as_admin: Client, waits: Job, holder: Job) -> None:
        Job.objects.filter(pk=waits.pk).update(exclusive=True)
        SubjectSlot.objects.create(subject=waits.subject, job=holder)
        page = shown(as_admin, waits)
        assert "Another job works on MC-1" in page
        assert f'<a href="/workers/jobs/{holder.pk}/">sample {holder.pk}</a> has to end first.' in page

    def test_an_agent_at_rest(self, as_admin: Client, job: Job) -> None:
        Breaker.objects.create(
            agent_version=AgentVersion.objects.get(),
            state="open",
            failures=3,
            reason="The agent exited with code 1.",
            retry_at=clock.now(),
        )
        Job.objects.update(lane=Agent.objects.get().lane)
        page = shown(as_admin, job)
        assert "Its agent is at rest" in page
        assert "exited with code 1" in page

    def test_what_holds_it_is_not_named_to_a_reader_of_another_project(
        self, world: World, sign_in: Callable[[User | None], Client], waits: Job, holder: Job
    ) -> None:
        queue.set_lane("narrow", 1)
        Job.objects.filter(pk=waits.pk).update(lane="narrow")
        LaneSlot.objects.update(job=holder)
        Job.objects.filter(pk=holder.pk).update(audience="")
        page = shown(sign_in(world.viewer), waits)
        assert "Held by 1 of other projects." in page
        assert f"/workers/jobs/{holder.pk}/" not in page


class TestCancelAndRequeue:
    @pytest.mark.parametrize(
        ("verb", "state", "after", "history"),
        [("cancel", "queued", "cancelled", "job.cancelled"), ("requeue", "dead", "queued", "job.requeued")],
    )
    def test_each_asks_why_and_keeps_it(
        self, world: World, as_admin: Client, verb: str, state: str, after: str, history: str
    ) -> None:
        job = dead(world, state=state, finished_at=None if state == "queued" else clock.now())
        address = reverse(f"job_{verb}", args=[job.pk])
        for reason, said in ((" ", "is required."), ("x" * 301, "At most 300 characters (you sent 301).")):
            answer = as_admin.post(address, {"reason": reason})
            page = answer.content.decode()
            assert answer.status_code == 422
            assert said in page
            assert reason.strip() in page
            assert 'aria-invalid="true"' in page
            assert f"/workers/jobs/{job.pk}/fragment/" not in page, "nothing reads the page again over what was typed"
        job.refresh_from_db()
        assert job.state == state
        assert as_admin.post(address, {"reason": "The disk has room."}).status_code == 302
        job.refresh_from_db()
        assert job.state == after
        assert Activity.objects.get(verb=history, subject=job.name).reason == "The disk has room."

    def test_one_that_has_ended_meanwhile_says_so_and_what_was_typed_stays(
        self, world: World, as_admin: Client
    ) -> None:
        job = dead(world)
        answer = as_admin.post(reverse("job_cancel", args=[job.pk]), {"reason": "Nobody waits."})
        page = answer.content.decode()
        assert answer.status_code == 409
        assert "it has ended, so there is nothing to cancel" in page
        assert "Nobody waits." in page

    def test_a_viewer_is_offered_neither(self, world: World, sign_in: Callable[[User | None], Client]) -> None:
        job = dead(world)
        assert "requeue-form" not in shown(sign_in(world.viewer), job)
        assert "requeue-form" in shown(sign_in(world.operator), job)
