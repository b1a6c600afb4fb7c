"""The list of jobs: its filters, what is done to all that match, and the queues and workers beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal import __version__
from portal.core import clock
from portal.core.models import Activity
from workers import kinds, presence, queue
from workers.models import Agent, Job, JobState, Pause, Pool, Worker

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.pages

SignIn = Callable[["User | None"], Client]
Fill = Callable[[int], None]
WHY = {"reason": "The disk has room again."}


@pytest.fixture(autouse=True)
def kind() -> Iterator[None]:
    """The kind that most jobs here are of."""
    kinds.register(kinds.Kind("sample", "A sample", Pool.SHORT, lambda claim: None))
    yield
    kinds._kinds.pop("sample")


def job(world: World, state: str = "dead", **fields: Any) -> Job:
    ended = clock.now() if state in {"dead", "cancelled", "succeeded"} else None
    given = {"kind": "sample", "pool": "short", "audience": world.mc.scope, "finished_at": ended} | fields
    return Job.objects.create(state=state, **given)


def shown(client: Client, query: str) -> list[int]:
    return [row.pk for row in client.get(f"/workers/{query}").context["jobs"]]


class TestFilters:
    def test_each_narrows_the_list_and_all_of_them_together_do(self, world: World, sign_in: SignIn) -> None:
        agent = Agent.objects.create(name="mender")
        plain = job(world, "queued")
        turn = job(world, "queued", kind="turn", pool="turns", lane=agent.lane, subject="ticket:MC-9")
        old = job(world, error="No space left on device")
        Job.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=2))
        client = sign_in(world.viewer)
        assert shown(client, "?state=queued") == [turn.pk, plain.pk]
        assert (
            shown(client, "?kind=turn") == shown(client, "?pool=turns") == shown(client, "?agent=mender") == [turn.pk]
        )
        assert shown(client, "?age=1d") == [old.pk]
        assert shown(client, "?age=7d") == []
        assert shown(client, "?q=SPACE+left") == [old.pk]
        assert shown(client, "?q=mc-9") == [turn.pk]
        assert shown(client, "?state=dead&kind=sample&pool=short&age=1h&q=device") == [old.pk]
        assert shown(client, "?state=queued&q=device") == []

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("state=lost", "“lost” is no state of a job."),
            ("kind=nope", "No kind of job is named “nope”."),
            ("pool=deep", "“deep” is no pool."),
            ("agent=nobody", "No agent is named “nobody”."),
            ("age=5m", "“5m” is no age that can be chosen."),
            ("q=" + "x" * 201, "At most 200 characters (you sent 201)."),
            ("state=dead&state=queued", "State is given twice."),
        ],
    )
    def test_a_wrong_value_is_said_and_left_out(self, world: World, sign_in: SignIn, query: str, said: str) -> None:
        job(world)
        for place in ("", "fragment/"):
            answer = sign_in(world.viewer).get(f"/workers/{place}?{query}")
            assert f"{said} This filter was left out." in answer.content.decode()
            assert len(answer.context["jobs"]) == 1

    def test_a_page_that_no_list_began_says_so(self, world: World, sign_in: SignIn) -> None:
        job(world)
        assert "No list begins there" in sign_in(world.viewer).get("/workers/?before=x").content.decode()

    def test_they_survive_the_next_page_the_tabs_and_the_live_fragment(
        self, world: World, sign_in: SignIn, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
        for _ in range(6):
            job(world, error="a & b")
        page = sign_in(world.viewer).get("/workers/?state=dead&q=a+%26+b").content.decode()
        assert "?state=dead&amp;q=a+%26+b&amp;before=" in page
        assert 'data-live-url="/workers/fragment/?state=dead&amp;q=a+%26+b"' in page
        assert 'href="/workers/?q=a+%26+b&amp;state=queued"' in page
        assert "there are more" in page

    def test_words_are_looked_for_in_the_newest_and_the_page_says_in_how_many(
        self, world: World, sign_in: SignIn, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"JOB_SEARCH_ROWS": 2}
        rows = [job(world, error="full") for _ in range(4)]
        client = sign_in(world.viewer)
        assert shown(client, "?q=full") == [rows[3].pk, rows[2].pk]
        assert "Words are looked for in the newest 2" in client.get("/workers/?q=full").content.decode()
        assert "Words are looked for" not in client.get("/workers/").content.decode()

    def test_words_reach_no_payload_and_no_job_of_another_project(self, world: World, sign_in: SignIn) -> None:
        job(world, payload={"x": "canary"})
        job(world, audience="", error="canary")
        assert shown(sign_in(world.viewer), "?q=canary") == []
        assert len(shown(sign_in(world.admin), "?q=canary")) == 1

    def test_it_costs_the_same_with_every_filter_and_a_hundred_jobs(self, world: World, sign_in: SignIn) -> None:
        client = sign_in(world.operator)
        query = "?state=dead&kind=sample&pool=short&age=1h&q=x"
        client.get("/workers/")
        counts = []
        for _ in range(2):
            for address in (f"/workers/{query}", f"/workers/fragment/{query}", "/workers/fleet/"):
                with CaptureQueriesContext(connection) as found:
                    client.get(address)
                counts.append(len(found))
            Job.objects.bulk_create(
                Job(kind="sample", pool="short", audience=world.mc.scope, state="dead") for _ in range(100)
            )
        assert counts[:3] == counts[3:]


class TestAllThatMatch:
    def test_the_page_says_how_many_and_the_press_does_those_and_no_others(self, world: World, sign_in: SignIn) -> None:
        mine = [job(world, error="full"), job(world, "cancelled", error="full")]
        others = [job(world, error="other"), job(world, "queued", error="full"), job(world, error="full", audience="")]
        client = sign_in(world.operator)
        assert "Requeue all that match" in client.get("/workers/?q=full").content.decode()
        assert "<b>2</b> dead or cancelled" in client.get("/workers/requeue/?q=full").content.decode()
        answer = client.post("/workers/requeue/?q=full", WHY)
        assert "2 queued again." in answer.content.decode()
        assert {row.state for row in Job.objects.filter(pk__in=[row.pk for row in mine])} == {"queued"}
        assert [row.state for row in Job.objects.filter(pk__in=[row.pk for row in others]).order_by("pk")] == [
            row.state for row in others
        ]
        said = Activity.objects.filter(verb="job.requeued")
        assert {(row.subject, row.reason) for row in said} == {(row.name, WHY["reason"]) for row in mine}

    def test_a_cancel_ends_what_waits_and_asks_what_runs_once(self, world: World, sign_in: SignIn) -> None:
        waits = job(world, "queued")
        lease = {"lease_until": clock.now() + timedelta(minutes=1), "worker": "w"}
        runs, told = job(world, "running", **lease), job(world, "running", cancel_at=clock.now(), **lease)
        client = sign_in(world.operator)
        assert "<b>2</b> queued or running" in client.get("/workers/cancel/").content.decode()
        assert "2 cancelled, or asked to stop." in client.post("/workers/cancel/", WHY).content.decode()
        waits.refresh_from_db()
        runs.refresh_from_db()
        assert (waits.state, waits.error) == ("cancelled", WHY["reason"])
        assert (runs.state, bool(runs.cancel_at)) == ("running", True)
        assert Activity.objects.filter(verb="job.cancelled", subject=waits.name, reason=WHY["reason"]).exists()
        assert not Activity.objects.filter(subject=told.name).exists()

    def test_the_first_by_id_are_taken_and_the_next_press_takes_the_rest_past_what_refused(
        self, world: World, sign_in: SignIn, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"BULK_JOBS_MAX": 2}
        rows = [job(world, unique_key="k"), job(world, unique_key="k"), job(world), job(world), job(world)]
        client = sign_in(world.operator)
        first = client.post("/workers/requeue/?state=dead", WHY)
        page = first.content.decode()
        assert "These were the first 2; 3 come after them" in page
        assert f'<a class="plain" href="/workers/jobs/{rows[1].pk}/">' in page
        assert "another A sample for the same thing is on its way" in page
        assert WHY["reason"] in page, "the reason need not be typed again"
        after = first.context["form"].initial["after"]
        second = client.post("/workers/requeue/?state=dead", WHY | {"after": after})
        assert "1 come after them" in second.content.decode()
        states = Job.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == ["queued", "dead", "queued", "queued", "dead"]

    def test_what_could_not_be_done_is_cut_and_says_so(self, world: World, sign_in: SignIn) -> None:
        queue_of = [job(world, unique_key="k") for _ in range(24)]
        page = sign_in(world.operator).post("/workers/requeue/", WHY).content.decode()
        assert "23 could not be." in page
        assert "The first 20 of 23." in page
        assert page.count("is on its way") == 20
        assert Job.objects.filter(state="queued").get() == queue_of[0]

    def test_a_job_whose_project_gives_no_right_is_in_the_list_of_what_could_not_be_done(
        self, world: World, sign_in: SignIn
    ) -> None:
        from portal.core.access import Role
        from tests import factories

        theirs = factories.project("XX", "Another")
        factories.member(theirs, world.operator, Role.VIEWER)
        mine, other = job(world), job(world, audience=theirs.scope)
        page = sign_in(world.operator).post("/workers/requeue/", WHY).content.decode()
        assert "1 queued again." in page
        assert "It takes the role operator in this project; yours is viewer." in page
        mine.refresh_from_db()
        other.refresh_from_db()
        assert (mine.state, other.state) == ("queued", "dead")

    def test_a_viewer_is_offered_nothing_and_can_do_nothing(self, world: World, sign_in: SignIn) -> None:
        dead = job(world)
        client = sign_in(world.viewer)
        assert "all that match" not in client.get("/workers/").content.decode()
        assert "1 could not be." in client.post("/workers/requeue/", WHY).content.decode()
        dead.refresh_from_db()
        assert dead.state == "dead"

    @pytest.mark.parametrize("verb", ["requeue", "cancel"])
    @pytest.mark.parametrize(
        ("query", "sent", "said"),
        [
            ("", {"reason": " "}, "Why is required."),
            ("", {"reason": "x" * 301}, "At most 300 characters (you sent 301)."),
            ("", WHY | {"after": "x"}, "The form was damaged on its way."),
            ("?state=lost", WHY, "Nothing was done: without this filter more would match."),
        ],
    )
    def test_a_press_that_is_not_understood_does_nothing(
        self, world: World, sign_in: SignIn, verb: str, query: str, sent: dict[str, str], said: str
    ) -> None:
        job(world)
        job(world, "queued")
        answer = sign_in(world.operator).post(f"/workers/{verb}/{query}", sent)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert sent["reason"].strip() in answer.content.decode() or query
        assert not Activity.objects.filter(subject__startswith="job:").exists()


class TestQueues:
    def test_each_pool_says_what_waits_runs_and_since_when_and_a_limit_how_much_of_it_is_used(
        self, world: World, sign_in: SignIn
    ) -> None:
        queue.set_lane("kind:sample", 3)
        old = job(world, "queued")
        Job.objects.filter(pk=old.pk).update(run_after=clock.now() - timedelta(minutes=7))
        job(world, "queued", run_after=clock.now() + timedelta(hours=1))
        pools = {pool.which: pool for pool in sign_in(world.viewer).get("/workers/").context["pools"]}
        short = pools["short"]
        assert (short.queued, short.running, pools["turns"].queued, pools["turns"].oldest) == (2, 0, 0, None)
        assert short.oldest == Job.objects.get(pk=old.pk).run_after
        [line] = [kind for kind in short.kinds if kind.which == "sample"]
        assert (line.label, line.queued, line.held, line.slots) == ("A sample", 2, 0, 3)
        assert "0 of 3" in sign_in(world.viewer).get("/workers/").content.decode()

    @pytest.mark.parametrize(("name", "label"), [("pool:short", "Short jobs"), ("kind:sample", "A sample")])
    def test_an_admin_pauses_and_resumes_with_a_reason_that_everybody_reads(
        self, world: World, sign_in: SignIn, name: str, label: str
    ) -> None:
        client = sign_in(world.admin)
        assert label in client.get(f"/workers/queues/{name}/pause/").content.decode()
        assert client.post(f"/workers/queues/{name}/pause/", {"reason": "The <disk> is full."}).status_code == 302
        pause = Pause.objects.get()
        assert (pause.name, pause.reason, pause.paused_by) == (name, "The <disk> is full.", str(world.admin))
        seen = sign_in(world.outsider).get("/workers/").content.decode()
        assert "The &lt;disk&gt; is full." in seen
        assert f"/workers/queues/{name}/" not in seen, "who may not press it is shown no button"
        client = sign_in(world.admin)
        again = client.post(f"/workers/queues/{name}/pause/", {"reason": "Twice."})
        assert again.status_code == 409
        assert f"{label}: paused already." in again.content.decode()
        assert "Twice." in again.content.decode()
        assert f"/workers/queues/{name}/resume/" in client.get("/workers/").content.decode()
        assert client.post(f"/workers/queues/{name}/resume/", {"reason": "There is room."}).status_code == 302
        assert not Pause.objects.exists()
        told = Activity.objects.filter(subject=name).order_by("pk").values_list("verb", "reason")
        assert list(told) == [("queue.paused", "The <disk> is full."), ("queue.resumed", "There is room.")]
        assert client.post(f"/workers/queues/{name}/resume/", {"reason": "Twice."}).status_code == 409

    def test_a_kind_of_a_paused_pool_is_shown_as_paused_with_it(self, world: World, sign_in: SignIn) -> None:
        job(world, "queued")
        assert "with its pool" not in sign_in(world.viewer).get("/workers/").content.decode()
        queue.pause("pool:short", reason="The disk is full.")
        assert "with its pool" in sign_in(world.viewer).get("/workers/").content.decode()

    def test_a_pause_is_news_to_who_watches_the_list(self, db: None) -> None:
        from portal.live import streams

        before = streams.cursors("jobs")
        queue.pause("pool:short", reason="The disk is full.")
        assert streams.cursors("jobs") != before

    def test_a_reason_is_needed_and_what_does_not_exist_is_not_found(self, world: World, sign_in: SignIn) -> None:
        client = sign_in(world.admin)
        answer = client.post("/workers/queues/pool:short/pause/", {"reason": ""})
        assert answer.status_code == 422
        assert "Why it is paused is required." in answer.content.decode()
        for name in ("pool:deep", "kind:nope", "short", "pool:"):
            assert client.get(f"/workers/queues/{name}/pause/").status_code == 404
        assert sign_in(world.owner).post("/workers/queues/pool:short/pause/", WHY).status_code == 403
        assert not Pause.objects.exists()


class TestFleet:
    def test_a_worker_says_what_it_is_what_it_holds_and_whether_its_code_is_another(
        self, world: World, sign_in: SignIn
    ) -> None:
        presence.arrived("short@here:1:1", "short")
        presence.arrived("short@here:2:2", "short")
        Worker.objects.filter(name="short@here:2:2").update(version="0.0.1")
        presence.arrived("short@here:3:3", "short")
        Worker.objects.filter(name="short@here:3:3").update(schema="0" * 16)
        held = job(world, "running", worker="short@here:1:1", lease_until=clock.now() + timedelta(minutes=1))
        lines = sign_in(world.viewer).get("/workers/").context["fleet"].lines
        assert [line.holds for line in lines] == [[held], [], []]
        assert [line.other_code for line in lines] == ["", "Other version", "Other schema"]
        assert lines[0].worker.version == __version__

    def test_one_that_fell_silent_is_lost_by_the_database_s_clock(self, world: World, sign_in: SignIn) -> None:
        presence.arrived("short@here:1:1", "short")
        Worker.objects.update(seen_at=clock.now() - timedelta(minutes=5))
        answer = sign_in(world.viewer).get("/workers/fleet/")
        assert [(line.state, line.seen) for line in answer.context["fleet"].lines] == [("missing", "5 min")]
        assert "1 lost" in answer.content.decode()
        assert Job.objects.filter(state=JobState.RUNNING).count() == 0
