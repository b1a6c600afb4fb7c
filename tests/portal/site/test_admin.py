"""The admin: every page opens, no form saves a whole row, the history is ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from deployments.models import Deployment
from portal.core import secrets
from portal.core.models import Activity, Secret, User
from reviews.models import Finding, Review
from tickets.models import Membership, Project, ProjectCounter, Ticket
from workers.models import Agent, AgentVersion, Job, JobState, Schedule

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

SignIn = Callable[["User | None"], Client]
Fill = Callable[[int], None]


def url(model: type[Model], what: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


@pytest.fixture
def as_admin(world: World, sign_in: SignIn) -> Client:
    return sign_in(world.admin)


def page(client: Client, address: str) -> dict[str, Any]:
    """What the form of a page would post if nothing were changed."""
    answer = client.get(address)
    assert answer.status_code == 200
    formsets = [inline.formset for inline in answer.context["inline_admin_formsets"]]
    forms = [answer.context["adminform"].form]
    for formset in formsets:
        forms += [formset.management_form, *formset.initial_forms]
    posted: dict[str, Any] = {}
    for bound in (bound for form in forms for bound in form):
        value = bound.value()
        if value is None or value is False or value == "":
            continue
        posted[bound.html_name] = "on" if value is True else value
        if bound.field.show_hidden_initial:
            posted[bound.html_initial_name] = value
    return posted


def test_every_page_opens(world: World, fill: Fill, as_admin: Client) -> None:
    fill(1)
    Schedule.objects.create(name="sweep", kind="sweep", every_seconds=60)
    secrets.store("key", "value")
    assert as_admin.get("/admin/").status_code == 200
    for model, page in admin.site._registry.items():
        assert as_admin.get(url(model, "changelist")).status_code == 200, model
        assert as_admin.get(url(model, "changelist") + "?q=1").status_code == 200, model
        request = as_admin.get("/admin/").wsgi_request
        assert as_admin.get(url(model, "add")).status_code == (200 if page.has_add_permission(request) else 403), model
        row = model._default_manager.first()
        if row is not None:
            assert as_admin.get(url(model, "change", row.pk)).status_code == 200, model
            assert as_admin.get(url(model, "history", row.pk), follow=True).status_code == 200, model


def test_the_admin_is_for_admins(world: World, sign_in: SignIn) -> None:
    assert sign_in(world.owner).get("/admin/").status_code == 302
    assert sign_in(None).get("/admin/").status_code == 302


def test_groups_are_not_offered() -> None:
    assert Group not in admin.site._registry


def test_a_lists_queries_do_not_grow(
    world: World, fill: Fill, as_admin: Client, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    fill(1)
    lists = [url(model, "changelist") for model in admin.site._registry]
    few = []
    for address in lists:
        with CaptureQueriesContext(connection) as found:
            as_admin.get(address)
        few.append(len(found))
    fill(29)
    for address, before in zip(lists, few, strict=True):
        with CaptureQueriesContext(connection) as found:
            as_admin.get(address)
        assert len(found) <= before, address


def test_a_form_does_not_take_back_what_a_machine_wrote_meanwhile(world: World, fill: Fill, as_admin: Client) -> None:
    fill(1)
    ticket = Ticket.objects.get(key="MC-1")
    form = page(as_admin, url(Ticket, "change", ticket.pk))
    Ticket.objects.filter(pk=ticket.pk).update(state="queued", version=7)
    answer = as_admin.post(url(Ticket, "change", ticket.pk), {**form, "title": "Renamed"})
    assert answer.status_code == 200
    assert "It has changed since you opened it" in answer.content.decode()
    ticket.refresh_from_db()
    assert (ticket.state, ticket.title, ticket.version) == ("queued", "Ticket 1", 7)


def test_a_ticket_is_amended_under_its_version(world: World, fill: Fill, as_admin: Client) -> None:
    fill(1)
    ticket = Ticket.objects.get(key="MC-1")
    form = page(as_admin, url(Ticket, "change", ticket.pk))
    assert as_admin.post(url(Ticket, "change", ticket.pk), {**form, "title": "Renamed"}).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.title, ticket.version) == ("Renamed", 2)
    record = Activity.objects.get(subject=ticket.subject)
    assert (record.before, record.after, record.actor_label) == ({"title": "Ticket 1"}, {"title": "Renamed"}, "Admin")


def test_a_configuration_form_writes_only_what_its_sender_changed(world: World, as_admin: Client) -> None:
    schedule = Schedule.objects.create(name="sweep", kind="sweep", every_seconds=60, payload={"a": 1})
    form = page(as_admin, url(Schedule, "change", schedule.pk))
    due = schedule.next_due_at
    # another admin and the clock are faster
    Schedule.objects.filter(pk=schedule.pk).update(enabled=False, next_due_at="2030-01-01T00:00:00Z", payload={"a": 2})
    answer = as_admin.post(url(Schedule, "change", schedule.pk), {**form, "every_seconds": 90})
    assert answer.status_code == 302, answer.context["errors"]
    schedule.refresh_from_db()
    assert (schedule.every_seconds, schedule.enabled, schedule.payload) == (90, False, {"a": 2})
    assert schedule.next_due_at != due
    assert Activity.objects.get(verb="schedule.changed").after == {"every_seconds": 90}


def test_nothing_is_written_to_the_admins_own_log(world: World, as_admin: Client) -> None:
    schedule = Schedule.objects.create(name="sweep", kind="sweep", every_seconds=60)
    as_admin.post(
        url(Schedule, "change", schedule.pk),
        {**page(as_admin, url(Schedule, "change", schedule.pk)), "every_seconds": 61},
    )
    as_admin.post(url(Schedule, "delete", schedule.pk), {"post": "yes"})
    assert not Schedule.objects.exists()
    assert not LogEntry.objects.exists()
    assert list(Activity.objects.order_by("id").values_list("verb", flat=True)) == [
        "schedule.changed",
        "schedule.deleted",
    ]


def test_a_new_project_has_its_counter_and_its_key_stays(world: World, as_admin: Client) -> None:
    empty = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-user": world.viewer.pk,
        "memberships-0-role": 20,
    }
    answer = as_admin.post(
        url(Project, "add"), {"key": "NEW", "name": "New", "merge_strategy": "merge", "landing": "push", **empty}
    )
    assert answer.status_code == 302
    project = Project.objects.get(key="NEW")
    assert ProjectCounter.objects.get(project=project).last == 0
    assert Membership.objects.get(project=project).role == 20
    form = page(as_admin, url(Project, "change", project.pk))
    as_admin.post(url(Project, "change", project.pk), {**form, "key": "OTHER", "name": "Newer"})
    project.refresh_from_db()
    assert (project.key, project.name) == ("NEW", "Newer")


def test_a_new_ticket_takes_the_next_number(world: World, as_admin: Client) -> None:
    answer = as_admin.post(url(Ticket, "add"), {"of_project": world.mc.pk, "title": "From the admin", "body": ""})
    assert answer.status_code == 302
    assert Ticket.objects.get().key == "MC-1"
    assert ProjectCounter.objects.get(project=world.mc).last == 1


PROFILE = {
    "name": "claude-dev",
    "enabled": "on",
    "concurrency": 2,
    "adapter": "plain",
    "command": '["claude", "-p"]',
    "environment": '["PATH"]',
    "secrets": "{}",
    "wall_seconds": 600,
    "silence_seconds": 60,
    "output_bytes": 100_000,
    "max_failures": 3,
    "containment": "plain",
    "network": "open",
    "trusted": "on",
    "versions-TOTAL_FORMS": 0,
    "versions-INITIAL_FORMS": 0,
}


def test_each_change_of_an_agents_profile_is_a_new_version(world: World, as_admin: Client) -> None:
    assert as_admin.post(url(Agent, "add"), PROFILE).status_code == 302
    agent = Agent.objects.get()
    assert AgentVersion.objects.get(agent=agent).command == ["claude", "-p"]
    change = url(Agent, "change", agent.pk)
    as_admin.post(change, {**page(as_admin, change), "enabled": ""})
    assert agent.versions.count() == 1
    answer = as_admin.post(change, {**page(as_admin, change), "command": '["claude", "-p", "--fast"]'})
    assert answer.status_code == 302, (answer.context["errors"], page(as_admin, change))
    assert [version.command for version in agent.versions.order_by("number")] == [
        ["claude", "-p"],
        ["claude", "-p", "--fast"],
    ]
    agent.refresh_from_db()
    assert not agent.enabled


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "claude -p"},
        {"command": '"claude"'},
        {"command": "[]"},
        {"secrets": "[1]"},
        {"silence_seconds": 601},
    ],
)
def test_a_wrong_profile_is_refused(world: World, as_admin: Client, wrong: dict[str, Any]) -> None:
    assert as_admin.post(url(Agent, "add"), {**PROFILE, **wrong}).status_code == 200
    assert not Agent.objects.exists()


def test_a_secret_goes_in_and_never_comes_out(world: World, as_admin: Client) -> None:
    assert as_admin.post(url(Secret, "add"), {"name": "api-key", "value": "s3cr3t-value"}).status_code == 302
    secret = Secret.objects.get()
    assert secrets.reveal("api-key") == "s3cr3t-value"
    shown = (
        as_admin.get(url(Secret, "change", secret.pk)).content.decode()
        + as_admin.get(url(Secret, "changelist")).content.decode()
    )
    assert "s3cr3t-value" not in shown
    assert secret.sealed not in shown
    assert as_admin.post(url(Secret, "change", secret.pk), {"value": "another-value"}).status_code == 302
    assert secrets.reveal("api-key") == "another-value"


def test_a_user_is_made_changed_and_given_a_password(world: World, as_admin: Client) -> None:
    new = {"email": "new@example.org", "name": "New", "password1": "four quiet words", "password2": "four quiet words"}
    assert as_admin.post(url(User, "add"), new).status_code == 302
    user = User.objects.get(email="new@example.org")
    form = page(as_admin, url(User, "change", user.pk))
    User.objects.filter(pk=user.pk).update(theme="dark")
    assert as_admin.post(url(User, "change", user.pk), {**form, "name": "Newer"}).status_code == 302
    user.refresh_from_db()
    assert (user.name, user.theme) == ("Newer", "dark")
    address = reverse("admin:auth_user_password_change", args=[user.pk])
    assert (
        as_admin.post(address, {"password1": "five very quiet words", "password2": "five very quiet words"}).status_code
        == 302
    )
    user.refresh_from_db()
    assert user.check_password("five very quiet words")
    assert Activity.objects.filter(verb="user.password_set", subject=f"user:{user.pk}").exists()


def test_dead_jobs_are_queued_again_and_a_refusal_stops_no_other(world: World, fill: Fill, as_admin: Client) -> None:
    fill(1)
    chosen = list(Job.objects.filter(state__in=[JobState.DEAD, JobState.SUCCEEDED]).values_list("pk", flat=True))
    sent = {"action": "requeue", "_selected_action": chosen, "reason": "The disk has room again."}
    answer = as_admin.post(url(Job, "changelist"), sent, follow=True)
    assert Job.objects.filter(pk__in=chosen, state=JobState.QUEUED).count() == 1
    said = [str(message) for message in answer.context["messages"]]
    assert any("only a dead or cancelled job can be requeued" in words for words in said)
    assert "1 queued again." in said


def test_engine_rows_cannot_be_written(world: World, fill: Fill, as_admin: Client) -> None:
    fill(1)
    job = Job.objects.filter(state=JobState.DEAD).get()
    assert as_admin.post(url(Job, "change", job.pk), {"state": "queued"}).status_code == 403
    assert as_admin.post(url(Job, "delete", job.pk), {"post": "yes"}).status_code == 403
    job.refresh_from_db()
    assert job.state == JobState.DEAD


def test_a_document_becomes_findings_and_tickets_in_the_admin(world: World, as_admin: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    document = SimpleUploadedFile("review.md", b"# Review")
    upload = {"of_project": world.mc.pk, "series_name": "Path", "document": document}
    assert as_admin.post(url(Review, "add"), upload).status_code == 302
    review = Review.objects.get()
    assert bytes(review.content) == b"# Review"
    finding = Finding.objects.create(
        series=review.series, identity="F-1", title="A hole", severity="critical", state="open"
    )
    _act(as_admin, Finding, "make_tickets", finding.pk)
    finding.refresh_from_db()
    assert finding.ticket is not None
    _act(as_admin, Finding, "fix", finding.pk)
    finding.refresh_from_db()
    assert finding.state == "open"
    _act(as_admin, Finding, "fix", finding.pk, reason="It is not reachable.")
    finding.refresh_from_db()
    assert (finding.state, finding.answer) == ("fixed", "It is not reachable.")


def test_the_second_of_two_clicks_asks_for_no_second_deployment(world: World, as_admin: Client) -> None:
    from tests.deployments import build

    order = {"of_service": build.service(world.mc).pk, "into": build.environment(world.mc).pk, "what": "main"}
    for _ in range(2):
        assert as_admin.post(url(Deployment, "add"), order).status_code == 302
    assert Deployment.objects.get().state == "preparing"
    as_admin.post(url(Deployment, "add"), order | {"what": "v2"})
    assert Deployment.objects.count() == 2


def test_a_ticket_is_assigned_accepted_and_reopened_in_the_admin(world: World, as_admin: Client) -> None:
    world.mc.repository = "/tmp/nowhere"
    world.mc.save(update_fields=["repository"])
    as_admin.post(url(Ticket, "add"), {"of_project": world.mc.pk, "title": "From the admin", "body": ""})
    ticket = Ticket.objects.get()
    assert as_admin.post(url(Agent, "add"), PROFILE).status_code == 302
    said = _act(as_admin, Ticket, "assign", ticket.pk)
    assert said[-1] == "Choose the agent beside the action first."
    _act(as_admin, Ticket, "assign", ticket.pk, agent=Agent.objects.get().pk)
    ticket.refresh_from_db()
    assert ticket.state == "queued"
    Ticket.objects.filter(pk=ticket.pk).update(state="unproven")
    assert "Say why you accept it" in _act(as_admin, Ticket, "accept", ticket.pk)[0]
    _act(as_admin, Ticket, "accept", ticket.pk, reason="Seen by eye.")
    ticket.refresh_from_db()
    assert ticket.state == "done"
    _act(as_admin, Ticket, "reopen", ticket.pk, reason="It came again.")
    ticket.refresh_from_db()
    assert ticket.state == "open"


def _act(client: Client, model: type[Model], action: str, pk: int, **beside: Any) -> list[str]:
    answer = client.post(url(model, "changelist"), {"action": action, "_selected_action": [pk], **beside}, follow=True)
    return [str(message) for message in answer.context["messages"]]
