"""The pages that see all apps: who may open them, what they show, what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import Client
from django.test.utils import CaptureQueriesContext

from workers.models import Attempt, Job, JobState

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.pages

SignIn = Callable[["User | None"], Client]
Fill = Callable[[int], None]

FOR_ALL = [
    "/",
    "/fragment/",
    "/workers/",
    "/workers/fragment/",
    "/workers/?state=dead",
    "/status/",
    "/status/fragment/",
    "/accounts/2fa/",
]
FOR_ADMINS = ["/schema/", "/status.json"]


@pytest.mark.parametrize("url", FOR_ALL)
@pytest.mark.parametrize("who", ["admin", "owner", "viewer", "outsider"])
def test_page_opens_for_everybody_who_is_signed_in(
    world: World, fill: Fill, sign_in: SignIn, who: str, url: str
) -> None:
    fill(1)
    assert sign_in(getattr(world, who)).get(url).status_code == 200


@pytest.mark.parametrize("url", FOR_ALL + FOR_ADMINS)
def test_page_sends_strangers_to_the_login(world: World, sign_in: SignIn, url: str) -> None:
    answer = sign_in(None).get(url)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("url", FOR_ADMINS)
def test_page_is_an_admins_alone(world: World, sign_in: SignIn, url: str) -> None:
    assert sign_in(world.admin).get(url).status_code == 200
    assert sign_in(world.owner).get(url).status_code == 403


def test_fragment_sends_the_whole_browser_to_the_login(world: World, client: Client) -> None:
    answer = client.get("/workers/fragment/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/accounts/login/")


@pytest.mark.parametrize("url", ["/", "/workers/", "/workers/?state=dead", "/status/"])
@pytest.mark.parametrize("who", ["admin", "viewer"])
def test_queries_do_not_grow_with_the_rows(world: World, fill: Fill, sign_in: SignIn, who: str, url: str) -> None:
    client = sign_in(getattr(world, who))
    fill(1)
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(url)
    fill(29)
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)


def test_a_page_opens_no_connection_of_its_own(world: World, fill: Fill, sign_in: SignIn) -> None:
    fill(3)
    client = sign_in(world.owner)
    opened: list[str] = []

    def note(connection: Any, **told: Any) -> None:
        opened.append(connection.alias)

    connection_created.connect(note)
    try:
        for url in FOR_ALL:
            assert client.get(url).status_code == 200
    finally:
        connection_created.disconnect(note)
    assert opened == []


def test_a_list_costs_the_same_queries_always(world: World, fill: Fill, sign_in: SignIn) -> None:
    """Session, user, roles; the stream (5); time, workers, what they hold; agents, jobs; by pool and kind, pauses,
    limits; how many match, may go again, may be stopped; the navigation's."""
    fill(3)
    client = sign_in(world.viewer)
    client.get("/workers/?state=dead")
    with CaptureQueriesContext(connection) as found:
        client.get("/workers/?state=dead")
    assert len(found) <= 20, "\n".join(query["sql"][:150] for query in found)


def test_needs_me_shows_only_what_lies_in_my_projects(world: World, fill: Fill, sign_in: SignIn) -> None:
    fill(1)
    mine = sign_in(world.viewer).get("/").content.decode()
    theirs = sign_in(world.outsider).get("/").content.decode()
    for words in (
        "Tickets that need a person",
        "Work to accept",
        "Reviews to decide",
        "Critical findings without a ticket",
        "Deployments held",
        "Dead jobs",
    ):
        assert words in mine
        assert words not in theirs
    assert "You belong to no project" in theirs
    assert "Nothing needs a person" not in theirs


def test_needs_me_says_when_a_kind_is_cut(world: World, fill: Fill, sign_in: SignIn) -> None:
    fill(8)
    client = sign_in(world.viewer)
    assert "Cut at 8." not in client.get("/").content.decode().partition("Dead jobs")[2]
    fill(1)
    assert "Cut at 8." in client.get("/").content.decode().partition("Dead jobs")[2]


def test_jobs_are_paged_without_a_gap_or_a_repeat(world: World, fill: Fill, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "LIST_PAGE_ROWS": 5}
    fill(3)
    client = sign_in(world.viewer)
    seen: list[int] = []
    older: int | None = None
    while True:
        context = client.get("/workers/", {"before": older} if older else {}).context
        seen += [job.pk for job in context["jobs"]]
        older = context["older"]
        if older is None:
            break
    assert seen == sorted(Job.objects.values_list("id", flat=True), reverse=True)


@pytest.mark.parametrize("query", ["state=nonsense", "before=x", "before=-1", "before=" + "9" * 40, "before=١"])
def test_a_wrong_query_shows_the_list(world: World, fill: Fill, sign_in: SignIn, query: str) -> None:
    fill(1)
    answer = sign_in(world.viewer).get(f"/workers/?{query}")
    assert len(answer.context["jobs"]) == Job.objects.count()


@pytest.mark.parametrize(
    ("who", "seen", "cancels"),
    [("admin", 200, 302), ("operator", 200, 302), ("viewer", 200, 403), ("outsider", 404, 404)],
)
def test_a_job_belongs_to_its_audience(
    world: World, fill: Fill, sign_in: SignIn, who: str, seen: int, cancels: int
) -> None:
    fill(1)
    job = Job.objects.get(state=JobState.QUEUED)
    client = sign_in(getattr(world, who))
    assert client.get(f"/workers/jobs/{job.pk}/").status_code == seen
    assert client.get(f"/workers/jobs/{job.pk}/fragment/").status_code == seen
    assert client.post(f"/workers/jobs/{job.pk}/cancel/", {"reason": "Not needed."}).status_code == cancels
    job.refresh_from_db()
    assert job.state == (JobState.CANCELLED if cancels == 302 else JobState.QUEUED)


def test_a_job_without_an_audience_is_an_admins_alone(world: World, sign_in: SignIn) -> None:
    job = Job.objects.create(kind="sweep", pool="short")
    assert sign_in(world.owner).get(f"/workers/jobs/{job.pk}/").status_code == 404
    assert sign_in(world.admin).get(f"/workers/jobs/{job.pk}/").status_code == 200


def test_a_dead_job_is_queued_again_and_a_queued_one_says_why_not(world: World, fill: Fill, sign_in: SignIn) -> None:
    fill(1)
    client = sign_in(world.operator)
    dead = Job.objects.get(state=JobState.DEAD)
    client.post(f"/workers/jobs/{dead.pk}/requeue/", {"reason": "The disk has room again."})
    dead.refresh_from_db()
    assert dead.state == JobState.QUEUED
    again = client.post(f"/workers/jobs/{dead.pk}/requeue/", {"reason": "Once more."})
    assert again.status_code == 409
    assert "only a dead or cancelled job can be requeued" in again.content.decode()
    assert "Once more." in again.content.decode(), "nothing typed is lost"


def test_a_page_never_shows_a_payload(world: World, sign_in: SignIn) -> None:
    job = Job.objects.create(kind="sweep", pool="short", payload={"key": "in-the-payload"})
    assert "in-the-payload" not in sign_in(world.admin).get(f"/workers/jobs/{job.pk}/").content.decode()


def test_an_error_is_shown_as_text(world: World, sign_in: SignIn) -> None:
    job = Job.objects.create(kind="sweep", pool="short", state=JobState.DEAD, error="<script>alert(1)</script>")
    Attempt.objects.create(job=job, fence=1, worker="w", outcome="failed", error="<b>", ended_at=job.created_at)
    for url in (f"/workers/jobs/{job.pk}/", "/workers/", "/"):
        assert "<script>alert" not in sign_in(world.admin).get(url).content.decode()


def test_the_theme_is_kept_and_set_without_a_flash(world: World, sign_in: SignIn) -> None:
    client = sign_in(world.viewer)
    assert "data-theme" not in client.get("/").content.decode()[:200]
    answer = client.post("/account/theme/", {"theme": "dark", "next": "/status/"})
    assert answer["Location"] == "/status/"
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.post("/account/theme/", {"theme": "neon"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
    assert client.get("/account/theme/").status_code == 405


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org/", "javascript:alert(1)", ""])
def test_the_theme_leads_nowhere_else(world: World, sign_in: SignIn, elsewhere: str) -> None:
    assert sign_in(world.viewer).post("/account/theme/", {"theme": "dark", "next": elsewhere})["Location"] == "/"


def test_no_page_carries_a_script_or_a_style_of_its_own(world: World, fill: Fill, sign_in: SignIn) -> None:
    fill(1)
    client = sign_in(world.admin)
    for url in [*FOR_ALL, "/schema/", "/nothing-here/"]:
        page = client.get(url).content.decode()
        assert "<script>" not in page, url
        assert "style=" not in page, url
        assert " onclick=" not in page, url
