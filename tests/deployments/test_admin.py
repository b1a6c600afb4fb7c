"""Deployments in the admin: asked for, approved, stopped, answered, taken back; every record can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.urls import reverse

from deployments import gates, interruptions, requesting, step_jobs
from deployments.models import Approval, Deployment, Hold, Interruption, Placement
from portal.core.unit import unit_of_work
from reviews.models import Finding, Series
from tests import factories
from tests.deployments import build
from tests.deployments.shipyard import Shipyard, again
from workers.models import Job

if TYPE_CHECKING:
    from django.test import Client

    from portal.core.models import User
    from tests.factories import World
    from tests.signing_in import SignIn

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pages]
ADD = "/admin/deployments/deployment/add/"


@pytest.fixture
def admin(world: World, sign_in: SignIn) -> Client:
    return sign_in(world.admin)


@pytest.fixture
def second(world: World) -> User:
    """Another admin, who did not ask."""
    return type(world.admin).objects.create_superuser("second@example.org", factories.PASSWORD, name="Second")


def address(row: Any) -> str:
    return reverse(f"admin:deployments_{row._meta.model_name}_change", args=[row.pk])


def do(client: Client, row: Any, verb: str, **sent: Any) -> Any:
    return client.post(address(row).replace("/change/", f"/do/{verb}/"), sent)


def text(client: Client, row: Any) -> str:
    return str(client.get(address(row)).content.decode())


def offered(client: Client, row: Any) -> set[str]:
    return {offer.deed.verb for offer in client.get(address(row)).context["deeds"]}


def ask(client: Client, yard: Shipyard, what: str = "") -> Deployment:
    """A deployment by the form, prepared and run as far as it goes."""
    sent = {"of_service": yard.service.pk, "into": yard.environment.pk, "what": what}
    answer = client.post(ADD, sent)
    made = Deployment.objects.latest("pk")
    assert answer["Location"] == address(made)
    return yard.run(made)


def broken_health(yard: Shipyard) -> None:
    """The service reports another commit than the one that goes there."""
    yard.set_step(3, command=yard.restart("deadbeef"))
    yard.set_step(4, wall_seconds=1)


# Asked for ----------------------------------------------------------------------


def test_what_is_asked_for_is_prepared_and_goes_its_way(admin: Client, yard: Shipyard) -> None:
    found = ask(admin, yard, "main")
    assert (found.state, found.requester, found.asked) == ("succeeded", "Admin", "main")
    page = text(admin, found)
    assert "It stands in production, and the service reports its commit." in page
    assert "Undo: Migrate" in page and "http://127.0.0.1:" in page
    assert offered(admin, found) == {"roll_back"}


@pytest.mark.parametrize(
    ("what", "said"), [("-x", "begins with a hyphen"), ("a b", "no space"), ("x" * 201, "At most 200 characters")]
)
def test_a_wrong_name_is_refused_where_it_was_typed(admin: Client, yard: Shipyard, what: str, said: str) -> None:
    answer = admin.post(ADD, {"of_service": yard.service.pk, "into": yard.environment.pk, "what": what})
    form = answer.context["adminform"].form
    assert said in str(form.errors["what"])
    assert form["what"].value() == what
    assert not Deployment.objects.exists()


def test_a_service_and_an_environment_are_of_one_project(admin: Client, yard: Shipyard) -> None:
    elsewhere = build.environment(factories.project("OT", "Other"), "live")
    answer = admin.post(ADD, {"of_service": yard.service.pk, "into": elsewhere.pk, "what": ""})
    assert "Choose two of one project" in str(answer.context["adminform"].form.errors["into"])
    assert not Deployment.objects.exists()


def test_what_no_repository_has_is_refused_with_the_reason(admin: Client, yard: Shipyard) -> None:
    found = ask(admin, yard, "nowhere")
    assert found.state == "refused"
    assert "has no branch, tag or commit nowhere" in text(admin, found)


# At the gate --------------------------------------------------------------------


def test_a_closed_gate_says_what_holds_it_and_what_lifts_that(world: World, admin: Client, yard: Shipyard) -> None:
    series = Series.objects.create(project=world.mc, name="Security")
    finding = Finding.objects.create(
        series=series, identity="x", title="The <b>door</b> is open", severity="critical", state="open"
    )
    found = ask(admin, yard)
    page = text(admin, found)
    assert found.state == "waiting_gate"
    assert "It waits at the gate" in page
    assert "The &lt;b&gt;door&lt;/b&gt; is open" in page and "<b>door</b>" not in page
    assert "make it a ticket, or answer it" in page
    said = do(admin, found, "look_again")
    assert said.status_code == 302 and again(found).state == "waiting_gate"
    Finding.objects.filter(pk=finding.pk).update(state="waived", version=2)
    assert do(admin, found, "look_again").status_code == 302
    assert again(found).state == "queued"
    assert do(admin, found, "look_again").status_code == 409


def test_who_asked_never_approves_and_another_admin_does(
    world: World, admin: Client, second: User, sign_in: SignIn, yard: Shipyard
) -> None:
    type(yard.environment).objects.update(approvals_needed=1)
    found = ask(admin, yard)
    assert found.state == "waiting_gate"
    assert offered(admin, found) == {"approve", "look_again", "cancel"}
    own = do(admin, found, "approve", plan_digest=found.plan_digest, reason="Mine")
    assert own.status_code == 409
    assert "You asked for this deployment, so somebody else approves it." in own.content.decode()
    assert "Mine" in own.content.decode()
    other = sign_in(second)
    old = do(other, found, "approve", plan_digest="0" * 64, reason="Read")
    page = old.content.decode()
    assert old.status_code == 409 and "The plan has changed since you opened it" in page
    # The plan of now stands in the form, and is what would be approved next.
    assert f'value="{found.plan_digest}"' in page and "3. <bdi>Restart</bdi> (restart)" in page
    assert do(other, found, "approve", plan_digest=found.plan_digest, reason="Read").status_code == 302
    assert Approval.objects.get().reason == "Read"
    assert "Read" in text(other, found)
    assert yard.run(found).state == "succeeded"


def test_an_approval_is_withdrawn_by_who_gave_it(
    world: World, admin: Client, second: User, sign_in: SignIn, yard: Shipyard
) -> None:
    type(yard.environment).objects.update(approvals_needed=2)
    found = ask(admin, yard)
    other = sign_in(second)
    do(other, found, "approve", plan_digest=found.plan_digest, reason="")
    assert "withdraw" in offered(other, found)
    refused = do(admin, found, "withdraw", reason="")
    assert refused.status_code == 409 and "You have given no approval" in refused.content.decode()
    assert do(other, found, "withdraw", reason="Too soon.").status_code == 302
    assert Approval.objects.get().state == "withdrawn"
    assert gates.approvals_that_count(found) == []


def test_one_that_waits_is_cancelled_with_a_reason_under_its_version(
    world: World, admin: Client, yard: Shipyard
) -> None:
    type(yard.environment).objects.update(approvals_needed=1)
    found = ask(admin, yard)
    assert do(admin, found, "cancel", expected_version=found.version, reason="").status_code == 422
    assert do(admin, found, "cancel", expected_version=found.version + 1, reason="No").status_code == 409
    assert do(admin, found, "cancel", expected_version=found.version, reason="Not today.").status_code == 302
    assert (again(found).state, again(found).why) == ("cancelled", "Not today.")
    assert "Not today." in text(admin, found)
    assert offered(admin, found) == set()


# Under way ------------------------------------------------------------------------


def interrupted(admin: Client, yard: Shipyard) -> tuple[Deployment, Interruption]:
    broken_health(yard)
    found = ask(admin, yard)
    assert found.state == "interrupted"
    interruption = interruptions.open_of(found)
    assert interruption is not None
    return found, interruption


def test_an_interruption_is_answered_on_the_page_of_its_deployment(admin: Client, yard: Shipyard) -> None:
    found, interruption = interrupted(admin, yard)
    page = text(admin, found)
    assert "It needs a person. Health: It never reported" in page
    assert offered(admin, found) == {"answer"}
    form = next(offer.form for offer in admin.get(address(found)).context["deeds"])
    assert [value for value, _ in form.fields["choice"].choices] == ["", "retry", "skip", "roll_back", "fail"]
    sent = {"interruption": interruption.pk, "choice": "skip"}
    no = do(admin, found, "answer", **sent, reason="")
    assert no.status_code == 409 and "Say why" in no.content.decode()
    assert do(admin, found, "answer", **sent | {"choice": "done"}, reason="x").status_code == 422
    assert do(admin, found, "answer", **sent | {"choice": ""}, reason="x").status_code == 422
    assert do(admin, found, "answer", **sent, reason="Seen by eye.").status_code == 302
    assert yard.run(found).state == "succeeded"
    second_time = do(admin, found, "answer", **sent, reason="Again.")
    assert second_time.status_code == 409 and "Again." in second_time.content.decode()


def test_an_interruption_is_answered_on_its_own_page(admin: Client, yard: Shipyard) -> None:
    found, interruption = interrupted(admin, yard)
    assert "Health waits for a person" in text(admin, interruption)
    sent = {"interruption": interruption.pk, "choice": "roll_back", "reason": "It reports nothing of ours."}
    assert do(admin, interruption, "answer", **sent).status_code == 302
    assert "Admin answered: Roll back." in text(admin, interruption)
    assert yard.run(found).state == "rolled_back"
    assert "undo" in yard.done[-1]
    assert "Rolled back: It reports nothing of ours." in text(admin, Hold.objects.get())


def test_an_answer_to_another_deployments_interruption_answers_nothing(admin: Client, yard: Shipyard) -> None:
    found, interruption = interrupted(admin, yard)
    other = build.deployment(yard.project, "failed")
    sent = {"interruption": interruption.pk, "choice": "retry", "reason": ""}
    assert do(admin, other, "answer", **sent).status_code == 409
    for wrong in ("0", "x", "", "9" * 30, str(interruption.pk + 1)):
        assert do(admin, found, "answer", **sent | {"interruption": wrong}).status_code in {409, 422}
    assert again(found).state == "interrupted"


def test_a_running_step_is_stopped_by_its_number(admin: Client, yard: Shipyard) -> None:
    found = requesting.request(yard.service, yard.environment)
    Deployment.objects.filter(pk=found.pk).update(state="running")
    step = build.step(found, "running")
    Job.objects.all().delete()
    with unit_of_work():
        job = step_jobs.enqueue(step)
    assert "Step 1, Deploy, is running." in text(admin, found)
    assert "stop" in offered(admin, found)
    assert do(admin, found, "stop", step=2, reason="x").status_code == 409
    assert do(admin, found, "stop", step=1, reason="").status_code == 422
    assert do(admin, found, "stop", step=1, reason="It hangs.").status_code == 302
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_what_stands_there_is_taken_back_and_what_is_under_way_is_not(admin: Client, yard: Shipyard) -> None:
    first = ask(admin, yard)
    yard.commit("more.txt", "more")
    found = ask(admin, yard)
    assert found.state == "succeeded"
    assert offered(admin, found) == {"roll_back"}
    assert "roll_back" not in offered(admin, first)
    late = do(admin, first, "roll_back", expected_version=again(first).version, reason="x")
    assert late.status_code == 409 and "Another deployment has followed there" in late.content.decode()
    assert do(admin, found, "roll_back", expected_version=found.version, reason="").status_code == 422
    assert do(admin, found, "roll_back", expected_version=found.version, reason="It is slow.").status_code == 302
    assert do(admin, found, "roll_back", expected_version=again(found).version, reason="x").status_code == 409
    assert "It goes back: It is slow." in text(admin, found)
    assert yard.run(found).state == "rolled_back"
    assert Placement.objects.get().release == first.release


def test_a_form_of_an_interrupted_one_is_told_to_answer(admin: Client, yard: Shipyard) -> None:
    found, _ = interrupted(admin, yard)
    answer = do(admin, found, "roll_back", expected_version=found.version, reason="x")
    assert answer.status_code == 409 and "answer its interruption" in answer.content.decode()


# Records --------------------------------------------------------------------------


def test_every_record_of_a_deployment_can_be_listed_searched_and_read(
    world: World, admin: Client, second: User, yard: Shipyard
) -> None:
    found, interruption = interrupted(admin, yard)
    interruptions.answer(interruption, "skip", by=world.admin, reason="<i>Seen</i>")
    yard.run(found)
    Approval.objects.create(
        deployment=found, approver=second, approver_label="Second", target_digest="x", state="given", reason="<i>ok</i>"
    )
    Hold.objects.create(environment=yard.environment, reason="<i>no</i>", by="x", state="holding")
    seen = set()
    for model in apps.get_app_config("deployments").get_models():
        name = model._meta.model_name
        row = model._default_manager.first()
        if row is None or name == "pipelinestep":
            continue
        seen.add(name)
        page = admin.get(address(row))
        assert page.status_code == 200, name
        assert "<i>" not in page.content.decode(), name
        listed = reverse(f"admin:deployments_{name}_changelist")
        for query in ("", "?q=web", "?q=1"):
            assert admin.get(listed + query).status_code == 200, (name, query)
    wanted = {"service", "environment", "verdict", "approval", "hold", "release", "deployment", "step"}
    assert seen == wanted | {"healthcheck", "interruption", "placement"}
    step = found.steps.get(n=1)
    assert "did build" in text(admin, step)
    assert "reports deadbeef" in text(admin, found.steps.get(n=4))


def test_no_record_is_written_or_deleted(admin: Client, yard: Shipyard) -> None:
    found = ask(admin, yard)
    for row in (found, found.release, found.verdict, found.steps.first(), Placement.objects.get()):
        assert admin.post(address(row), {"state": "failed"}).status_code == 403
        assert admin.post(address(row).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert again(found).state == "succeeded"


def test_a_lists_queries_do_not_grow(world: World, admin: Client, counted: Any, yard: Shipyard) -> None:
    lists = ["deployment", "step", "release", "placement", "approval", "hold", "interruption", "healthcheck", "verdict"]
    lists += ["service", "environment", "policy"]
    urls = [reverse(f"admin:deployments_{name}_changelist") for name in lists]
    ask(admin, yard)
    before = [counted(admin, url) for url in urls]
    for n in range(5):
        row = build.deployment(yard.project, "failed", release=build.release(yard.service, f"{n:040d}"))
        step = build.step(row)
        Hold.objects.create(release=row.release, cause=row, reason="x", by="x", state="holding")
        Interruption.objects.create(deployment=row, step=step, state="open")
        Approval.objects.create(
            deployment=row, approver=world.owner, approver_label="O", target_digest=str(n), state="given"
        )
    after = [counted(admin, url) for url in urls]
    grown = [url for url, few, many in zip(urls, before, after, strict=True) if many > few]
    assert grown == []
