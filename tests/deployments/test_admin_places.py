"""Services, environments and policies in the admin: by forms, under a version, an error where it was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from deployments import holds, places
from deployments.intake import StepSpec
from deployments.models import Environment, Hold, Policy, Service
from portal.core.models import Activity
from tests import factories
from tests.deployments import build

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import World
    from tests.signing_in import SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.pages]
ADD = "/admin/deployments/service/add/"


@pytest.fixture
def admin(world: World, sign_in: SignIn) -> Client:
    return sign_in(world.admin)


def address(row: Any) -> str:
    return reverse(f"admin:deployments_{row._meta.model_name}_change", args=[row.pk])


def do(client: Client, row: Any, verb: str, **sent: Any) -> Any:
    return client.post(address(row).replace("/change/", f"/do/{verb}/"), sent)


def pipeline(*steps: dict[str, Any]) -> dict[str, Any]:
    """The rows of the form, as a browser sends them."""
    sent: dict[str, Any] = {"pipeline-TOTAL_FORMS": len(steps), "pipeline-INITIAL_FORMS": 0}
    for place, step in enumerate(steps):
        row = {"kind": "command", "wall_seconds": 0, "again": "on", **step}
        sent |= {f"pipeline-{place}-{name}": value for name, value in row.items()}
    return sent


BUILD = {"name": "Build", "command": "make\r\nbuild"}
MIGRATE = {"kind": "migrate", "name": "Migrate", "command": '["./migrate", "a b"]', "undo": "./back"}
HEALTH = {"kind": "health", "name": "Health", "url": "http://127.0.0.1:{PORT}/health", "wall_seconds": 5}


def opened(client: Client, row: Any) -> dict[str, Any]:
    """What a browser would send of the page as it stands."""
    context = client.get(address(row)).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    sent: dict[str, Any] = {}
    for bound in (bound for form in forms for bound in form):
        value = bound.value()
        if value not in (None, False, ""):
            sent[bound.html_name] = "on" if value is True else value
            if bound.field.show_hidden_initial:
                sent[bound.html_initial_name] = value
    return sent


# Services -----------------------------------------------------------------------


def test_a_service_is_made_with_its_pipeline_in_the_order_of_the_places(world: World, admin: Client) -> None:
    sent = {"project": world.mc.pk, "name": "web", **pipeline(HEALTH | {"n": 3}, BUILD | {"n": 1}, MIGRATE | {"n": 2})}
    assert admin.post(ADD, sent).status_code == 302
    service = Service.objects.get()
    rows = list(service.pipeline.values_list("n", "kind", "command", "undo", "wall_seconds"))
    assert rows == [
        (1, "command", ["make", "build"], [], 0),
        (2, "migrate", ["./migrate", "a b"], ["./back"], 0),
        (3, "health", [], [], 5),
    ]
    assert Activity.objects.get(verb="project.service_added").actor_label == "Admin"


def test_a_page_that_is_saved_as_it_stands_changes_nothing(world: World, admin: Client) -> None:
    steps = [StepSpec("command", "Odd", command=[" a", "b\nc"]), StepSpec("command", "Plain", command=["[x", "y"])]
    service = places.add_service(world.mc, name="web", steps=steps)
    sent = opened(admin, service)
    assert sent["pipeline-0-command"] == '[" a", "b\\nc"]'
    assert admin.post(address(service), sent).status_code == 302
    service.refresh_from_db()
    assert service.version == 1
    assert [row.command for row in service.pipeline.all()] == [[" a", "b\nc"], ["[x", "y"]]


def test_steps_are_changed_moved_and_taken_out_in_one_go(world: World, admin: Client) -> None:
    steps = [StepSpec("command", name, command=["true"]) for name in ("One", "Two", "Three")]
    service = places.add_service(world.mc, name="web", steps=steps)
    sent = opened(admin, service) | {"pipeline-0-n": 9, "pipeline-1-taken_out": "on", "pipeline-1-command": ""}
    assert admin.post(address(service), sent).status_code == 302
    assert [(row.n, row.name) for row in service.pipeline.all()] == [(1, "Three"), (2, "One")]
    assert Activity.objects.filter(verb="service.changed").count() == 1


def test_a_form_of_an_older_version_keeps_what_was_typed_and_names_what_is_there(world: World, admin: Client) -> None:
    service = places.add_service(world.mc, name="web", steps=[StepSpec("command", "One", command=["true"])])
    sent = opened(admin, service) | {"pipeline-0-name": "Mine"}
    theirs = [StepSpec("manual", "Theirs", instructions="Ask Jo.")]
    places.change_pipeline(service, expected_version=1, steps=theirs)
    answer = admin.post(address(service), sent)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "It has changed since you opened it" in page
    assert "Now its steps are: 1. Theirs (manual)." in page
    assert 'value="Mine"' in page
    assert service.pipeline.get().name == "Theirs"
    # Sent again from the page that says so, it is a decision.
    form = answer.context["adminform"].form
    assert admin.post(address(service), sent | {"seen": form["seen"].value()}).status_code == 302
    assert service.pipeline.get().name == "Mine"


def test_what_changes_between_the_check_and_the_writing_is_refused(
    world: World, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = places.add_service(world.mc, name="web", steps=[StepSpec("command", "One", command=["true"])])
    sent, change = opened(admin, service) | {"pipeline-0-name": "Mine"}, places.change_pipeline

    def beaten(row: Service, **asked: Any) -> Service:
        monkeypatch.setattr(places, "change_pipeline", change)
        change(Service.objects.get(), expected_version=1, steps=[StepSpec("command", "Theirs", command=["true"])])
        return change(row, **asked)

    monkeypatch.setattr(places, "change_pipeline", beaten)
    page = admin.post(address(service), sent).content.decode()
    assert "Mine" in page
    assert "has changed since you opened it" in page
    assert service.pipeline.get().name != "Mine"


@pytest.mark.parametrize(
    ("step", "field", "said"),
    [
        (BUILD | {"command": ""}, "command", "runs a command; name it."),
        (BUILD | {"command": '["a", 1]'}, "command", "Argument 2 is 1"),
        (BUILD | {"name": ""}, "name", "Name is required."),
        (BUILD | {"name": "x" * 61}, "name", "At most 60 characters"),
        (BUILD | {"kind": "pray"}, "kind", "not one of the available choices"),
        (BUILD | {"url": "http://example.org"}, "url", "Only a health step and an HTTP check ask an address."),
        (HEALTH | {"url": "ftp://example.org"}, "url", "begins with http://"),
        (HEALTH | {"url": "http://me:secret@example.org"}, "url", "No name and no password"),
        ({"kind": "manual", "name": "Look"}, "instructions", "Say what the person is to do."),
        (BUILD | {"wall_seconds": 86_401}, "wall_seconds", "less than or equal to 86400"),
        (BUILD | {"wall_seconds": "soon"}, "wall_seconds", "whole number"),
        (BUILD | {"n": 0}, "n", "greater than or equal to 1"),
    ],
)
def test_a_wrong_step_is_refused_where_it_was_typed(
    world: World, admin: Client, step: dict[str, Any], field: str, said: str
) -> None:
    answer = admin.post(ADD, {"project": world.mc.pk, "name": "web", **pipeline(BUILD, step)})
    form = answer.context["inline_admin_formsets"][0].formset.forms[1]
    assert answer.status_code == 200
    assert said in str(form.errors[field])
    if field in step:
        assert str(form[field].value()) == str(step[field])
    assert not Service.objects.exists()


def test_a_pipeline_has_a_step_and_not_too_many(world: World, admin: Client, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "PIPELINE_STEPS": 2}
    for count, said in ((0, "at least one step"), (3, "at most 2 steps")):
        answer = admin.post(ADD, {"project": world.mc.pk, "name": "web", **pipeline(*[BUILD] * count)})
        assert said in answer.content.decode()
    assert not Service.objects.exists()


def test_a_field_of_a_step_that_is_given_twice_is_refused(world: World, admin: Client) -> None:
    sent = {"project": world.mc.pk, "name": "web", **pipeline(BUILD)} | {"pipeline-0-name": ["One", "Two"]}
    answer = admin.post(ADD, sent)
    form = answer.context["inline_admin_formsets"][0].formset.forms[0]
    assert "Name is given twice." in str(form.errors["name"])
    assert not Service.objects.exists()


def test_a_name_that_is_taken_is_refused_beside_the_name(world: World, admin: Client) -> None:
    build.service(world.mc, "web")
    build.environment(world.mc, "live")
    answer = admin.post(ADD, {"project": world.mc.pk, "name": "web", **pipeline(BUILD)})
    assert "has a service web already" in str(answer.context["adminform"].form.errors["name"])
    sent = {"project": world.mc.pk, "name": "live", **PLACE}
    answer = admin.post("/admin/deployments/environment/add/", sent)
    assert "has an environment live already" in str(answer.context["adminform"].form.errors["name"])
    # In another project it is free.
    other = factories.project("OT", "Other")
    assert admin.post(ADD, {"project": other.pk, "name": "web", **pipeline(BUILD)}).status_code == 302


# Environments -------------------------------------------------------------------

PLACE = {"place": 1, "approvals_needed": 2, "on_failure": "roll_back", "wait_hours": 5}
PLACE |= {"approval_hours": 24, "soak_minutes": 5}


def test_an_environment_is_made_and_changed_by_what_differs(world: World, admin: Client) -> None:
    sent = {"project": world.mc.pk, "name": "live", "variables": "PORT=80\r\nMODE=a=b", **PLACE}
    assert admin.post("/admin/deployments/environment/add/", sent).status_code == 302
    found = Environment.objects.get()
    assert found.variables == {"PORT": "80", "MODE": "a=b"}
    assert (found.place, found.approvals_needed, found.on_failure, found.wait_hours) == (1, 2, "roll_back", 5)
    page = opened(admin, found)
    assert set(page["variables"].split("\n")) == {"PORT=80", "MODE=a=b"}
    assert admin.post(address(found), page).status_code == 302
    assert Environment.objects.get().version == 1
    # Another owner was faster with something else: this form says so.
    places.change_environment(found, expected_version=1, wait_hours=9)
    answer = admin.post(address(found), page | {"approvals_needed": 0})
    assert "It has changed since you opened it" in answer.content.decode()
    form = answer.context["adminform"].form
    assert (str(form["wait_hours"].value()), str(form["approvals_needed"].value())) == ("9", "0")
    again = page | {"approvals_needed": 0, "wait_hours": 9, "seen": form["seen"].value()}
    again |= {"initial-wait_hours": 9}
    assert admin.post(address(found), again).status_code == 302
    found.refresh_from_db()
    assert (found.approvals_needed, found.wait_hours, found.version) == (0, 9, 3)
    assert Activity.objects.filter(verb="environment.changed").latest("id").after == {"approvals_needed": 0}


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("variables", "PORT", "Line 1 has no ="),
        ("variables", "A=1\r\nA=2", "Line 2: A is given twice."),
        ("variables", "PATH=/tmp", "is not for an environment to set"),
        ("approvals_needed", "21", "less than or equal to 20"),
        ("wait_hours", "0", "greater than or equal to 1"),
        ("on_failure", "panic", "not one of the available choices"),
    ],
)
def test_a_wrong_setting_is_refused_where_it_was_typed(
    world: World, admin: Client, field: str, typed: str, said: str
) -> None:
    place = build.environment(world.mc, "live")
    answer = admin.post(address(place), opened(admin, place) | {field: typed})
    form = answer.context["adminform"].form
    assert said in str(form.errors[field])
    assert form[field].value() == typed
    assert Environment.objects.get().version == 1


def test_an_environment_is_held_and_let_go_with_reasons(world: World, admin: Client) -> None:
    place = build.environment(world.mc, "live")
    add = "/admin/deployments/hold/add/"
    assert "reason is what the next reader has" in admin.post(add, {"of_environment": place.pk}).content.decode()
    assert admin.post(add, {"of_environment": place.pk, "why": "The sale is on."}).status_code == 302
    again = admin.post(add, {"of_environment": place.pk, "why": "Twice."})
    assert "is held already" in str(again.context["adminform"].form.errors["of_environment"])
    assert "It is held: The sale is on." in admin.get(address(place)).content.decode()
    hold = Hold.objects.get()
    assert "The sale is on." in admin.get(address(hold)).content.decode()
    assert do(admin, hold, "lift", expected_version=1, reason="").status_code == 422
    assert do(admin, hold, "lift", expected_version=7, reason="Over.").status_code == 409
    assert do(admin, hold, "lift", expected_version=1, reason="Over.").status_code == 302
    hold.refresh_from_db()
    assert (hold.state, hold.lifted_by, hold.lift_reason) == ("lifted", "Admin", "Over.")
    assert do(admin, place, "hold", reason="Again.").status_code == 302
    assert Hold.objects.filter(state="holding").count() == 1


def test_a_release_is_held_on_its_page(world: World, admin: Client) -> None:
    release = build.release(build.service(world.mc, "web"))
    assert do(admin, release, "hold", reason="It leaks.").status_code == 302
    page = admin.get(address(release)).content.decode()
    assert "It goes nowhere: held by Admin, because: It leaks." in page
    assert "do/hold" not in page
    assert holds.hold_release(release, reason="x").reason == "It leaks."


# Policies -------------------------------------------------------------------------


def policy(world: World, seen: int, *severities: str, hours: int = 4) -> dict[str, Any]:
    return {"of_project": world.mc.pk, "severities": list(severities), "valid_hours": hours, "seen": seen}


def test_a_policy_is_set_and_never_changed(world: World, admin: Client) -> None:
    add = "/admin/deployments/policy/add/"
    seen = admin.get(add).context["adminform"].form["seen"].value()
    assert admin.post(add, policy(world, seen, "high", "critical")).status_code == 302
    first = Policy.objects.get()
    assert (first.number, first.severities, first.valid_hours, first.by) == (1, ["critical", "high"], 4, "Admin")
    assert admin.post(address(first), {"valid_hours": 9}).status_code == 403
    assert "It is in force." in admin.get(address(first)).content.decode()
    # What another set meanwhile is shown before it is replaced.
    answer = admin.post(add, policy(world, seen, "low"))
    form = answer.context["adminform"].form
    assert "policy 1 of MC was set since you opened this page: holds on a finding that is critical or important" in str(
        form.errors
    )
    assert Policy.objects.count() == 1
    assert admin.post(add, policy(world, form["seen"].value(), "low")).status_code == 302
    assert Policy.objects.latest("number").severities == ["low"]
    assert "Policy 2 has followed it" in admin.get(address(first)).content.decode()


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"severities": "awful"}, "severities"), ({"valid_hours": 721}, "valid_hours"), ({"of_project": 0}, "of_project")],
)
def test_a_wrong_policy_is_refused_where_it_was_typed(
    world: World, admin: Client, sent: dict[str, Any], field: str
) -> None:
    answer = admin.post("/admin/deployments/policy/add/", policy(world, 0, "low") | sent)
    assert field in answer.context["adminform"].form.errors
    assert not Policy.objects.exists()
