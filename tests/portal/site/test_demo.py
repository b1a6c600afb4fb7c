"""The demo is loaded once, through the product's own functions, and goes without a trace but history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from deployments import requesting
from deployments.models import (
    Approval,
    Deployment,
    Environment,
    HealthCheck,
    Hold,
    Interruption,
    OnFailure,
    PipelineStep,
    Placement,
    Policy,
    Release,
    Service,
    Step,
)
from portal.core.clock import now
from portal.core.models import Activity, Notification, User
from portal.live.cursor import NO_STREAM
from portal.live.sources import Events
from portal.site.demo import folders, loading, removing
from portal.site.launching import plan
from reviews.models import Finding, ImportRow, Review
from tests import factories
from tests.portal.site.demo_place import admin, files, git, place
from tests.tickets import asking, build
from tickets import conversation, work
from tickets.models import Project, ProjectCounter, Ticket
from workers.models import Agent, Job

__all__ = ["place"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("place")]


def load() -> Project:
    project, made = loading.load()
    assert made
    return project


def counts() -> dict[str, int]:
    """How many rows each table has; history may grow."""
    models = [model for model in apps.get_models() if model is not Activity]
    return {model._meta.label: model._base_manager.count() for model in models}


def test_the_documents_give_exactly_the_findings_that_are_meant() -> None:
    admin()
    demo = load()
    rows = Finding.objects.filter(series__project=demo).order_by("pk")
    assert list(rows.values_list("ticket__key", "severity", "category", "state")) == [
        ("DEMO-1", "critical", "Safety", "open"),
        ("DEMO-2", "high", "Correctness", "open"),
        ("DEMO-3", "high", "Security", "open"),
        ("DEMO-4", "low", "Reliability", "open"),
        ("DEMO-5", "low", "Documentation", "open"),
    ]
    named = {file for finding in rows for file in finding.files}
    assert named
    assert named <= set(git("ls-files").splitlines()), "the review names files that are there"
    first, second = Review.objects.filter(series__project=demo).order_by("number")
    assert (first.state, second.state) == ("applied", "planned")
    plan = ImportRow.objects.filter(review=second).order_by("n")
    assert [(row.action, row.item.get("ref", "")) for row in plan if row.item] == [("new", "M1"), ("close", "L1")]
    assert [row.action for row in plan if not row.item] == ["carry"] * 4
    assert [review.reading["disagreements"] for review in (first, second)] == [[], []]


def test_it_has_places_to_ship_to_an_owner_and_no_other_person() -> None:
    owner = admin()
    with override_settings(DEMO_STAGING_PORT=8600, DEMO_PRODUCTION_PORT=8600):
        demo = load()
    kinds = list(PipelineStep.objects.filter(service__project=demo).values_list("kind", flat=True))
    assert kinds == ["command", "migrate", "restart", "health"]
    found = {row.name: row for row in Environment.objects.filter(project=demo)}
    rules = {"staging": OnFailure.ASK, "production": OnFailure.ROLL_BACK}
    assert {name: row.on_failure for name, row in found.items()} == rules
    ports = [found["production"].variables["PORT"], found["staging"].variables["PORT"]]
    assert ports[0] != ports[1], "a port that is taken gives way to a free one"
    assert Policy.objects.get(project=demo).severities == ["critical"]
    assert list(User.objects.all()) == [owner]
    assert [row.user for row in demo.memberships.all()] == [owner]
    assert "demo" in demo.name


def test_loading_twice_changes_nothing() -> None:
    admin()
    demo = load()
    before, told = counts(), Activity.objects.count()
    there, heads, state = files(folders.folder()), git("show-ref"), folders.state().read_text()
    assert loading.load() == (demo, False)
    assert (counts(), Activity.objects.count()) == (before, told)
    assert (files(folders.folder()), git("show-ref"), folders.state().read_text()) == (there, heads, state)


def test_removal_leaves_no_row_and_no_file_but_history(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner = admin()
    ticket = build.ticket(factories.project("OWN", "Somebody's own"))
    build.turn(ticket)
    before, there = counts(), files(place)
    call_command("demo")
    demo = Project.objects.get(key="DEMO")
    lived_in(demo, owner)
    assert Activity.objects.filter(scope=demo.scope).exists()
    followed = Events().position(demo.scope).now
    assert followed.number
    call_command("demo", "--remove")
    assert counts() == before
    assert files(place) == there
    assert Activity.objects.filter(verb=removing.REMOVED, subject=demo.scope).count() == 1
    news = Events().news({demo.scope: followed}, 10)[demo.scope]
    assert (news.rows, news.moved) == ([], NO_STREAM.now), "a page that follows it is told to read all anew"
    call_command("demo", "--remove")
    assert capsys.readouterr().out.endswith("There is no demo.\n")
    client = Client()
    client.force_login(owner)
    answers = {path: client.get(path).status_code for path in ("/", "/activity/", "/projects/", "/projects/DEMO/")}
    assert answers == {"/": 200, "/activity/": 200, "/projects/": 200, "/projects/DEMO/": 404}


def lived_in(demo: Project, owner: User) -> None:
    """Rows of each kind that people and agents leave in a project, each protecting others."""
    ticket = Ticket.objects.get(key="DEMO-1")
    turn = build.turn(ticket, agent_version=Agent.objects.get(name="demo-mender").versions.get())
    build.measured(turn)
    build.merge(ticket, turn)
    conversation.post(ticket, author=owner, body="How far are you?", idempotency_key="one")
    asking.ask(demo)
    service, environment = Service.objects.get(project=demo), Environment.objects.filter(project=demo).first()
    assert environment is not None
    requesting.request(service, environment, by=owner)
    old, new = (Release.objects.create(service=service, number=n, digest=str(n) * 64) for n in (1, 2))
    deployment = Deployment.objects.create(
        service=service, environment=environment, release=new, previous=old, state="rolled_back"
    )
    attempt = build.attempt(deployment.subject, demo.scope, "building")
    step = Step.objects.create(deployment=deployment, n=1, name="Build", command=[], state="failed", attempt=attempt)
    HealthCheck.objects.create(step=step, n=1, right=False, at=now())
    Interruption.objects.create(deployment=deployment, step=step, state="open")
    Approval.objects.create(deployment=deployment, approver=owner, target_digest="d", state="given")
    Hold.objects.create(release=new, cause=deployment, reason="It is broken.", state="holding")
    Placement.objects.create(service=service, environment=environment, release=old, deployment=deployment, since=now())
    Notification.objects.create(user=owner, verb="ticket.asked", subject=ticket.subject, scope=demo.scope, title="?")


def test_an_agent_that_others_use_stays_switched_off_and_numbers_are_not_given_again() -> None:
    admin()
    first = load()
    mender = Agent.objects.get(name="demo-mender")
    own = factories.project("OWN", "Somebody's own")
    build.repository(own)
    ticket = work.assign(build.ticket(own), mender)
    removing.remove()
    mender.refresh_from_db()
    assert (list(Agent.objects.all()), mender.enabled) == ([mender], False)
    assert list(Ticket.objects.all()) == [ticket]
    again = load()
    mender.refresh_from_db()
    assert mender.enabled, "what is the demo's own is taken again"
    assert again.pk != first.pk
    keys = Ticket.objects.filter(project=again).order_by("number").values_list("key", flat=True)
    assert list(keys) == [f"DEMO-{number}" for number in range(6, 11)]
    assert ProjectCounter.objects.get(pk=again.pk).last == 10


def test_while_a_job_of_it_runs_nothing_is_removed() -> None:
    admin()
    demo = load()
    job = Job.objects.filter(audience=demo.scope).earliest("pk")
    Job.objects.filter(pk=job.pk).update(state="running", worker="short1", lease_until=now())
    before = counts()
    with pytest.raises(CommandError, match=rf"at work \({job.name}\)"):
        call_command("demo", "--remove")
    assert counts() == before
    assert folders.repository().is_dir()


@pytest.fixture
def nothing_is_loaded() -> Iterator[None]:
    yield
    assert Review.objects.count() == 0
    assert not folders.folder().exists()


@pytest.mark.usefixtures("nothing_is_loaded")
def test_a_key_or_an_agent_that_is_somebody_elses_stands_in_its_way() -> None:
    admin()
    own = factories.project("DEMO", "Our own")
    with pytest.raises(CommandError, match="a project DEMO that is not the demo's"):
        call_command("demo")
    call_command("demo", "--remove")
    assert list(Project.objects.all()) == [own], "what is not the demo's is not removed"
    own.delete()
    Agent.objects.create(name="demo-asker")
    with pytest.raises(CommandError, match="an agent demo-asker that is not the demo's"):
        call_command("demo")
    assert list(Agent.objects.values_list("name", flat=True)) == ["demo-asker"]


@pytest.mark.usefixtures("nothing_is_loaded")
def test_without_an_admin_it_says_who_is_missing() -> None:
    with pytest.raises(CommandError, match="no admin yet"):
        call_command("demo")


def test_up_runs_the_demos_host_if_and_only_if_the_demo_is_there() -> None:
    assert "demo host" not in [program.name for program in plan.background()]
    admin()
    loading.load()
    [host] = [program for program in plan.background() if program.name == "demo host"]
    assert str(folders.socket()) in host.argv
