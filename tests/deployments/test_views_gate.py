"""What people do to a deployment on its page: approve, cancel, stop, answer, roll back; and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments.models import Approval, Deployment, HoldState, Step
from tests.deployments import build, pages
from tests.reviews.build import finding, waive
from tests.signing_in import SignIn
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

DEEDS = ("look", "approve", "cancel", "stop", "rollback", "again")


@pytest.fixture
def waits(world: World) -> Deployment:
    """Waits for one approval; the owner may give it."""
    found: Deployment = pages.place(world.mc, approvals_needed=1).ask(world.releaser)
    return found


def post(browser: Any, deployment: Deployment, deed: str, **sent: Any) -> tuple[int, str]:
    answer = browser.post(f"{deployment.get_absolute_url()}{deed}/", sent)
    shown = browser.get(answer["Location"]) if answer.status_code == 302 else answer
    return answer.status_code, shown.content.decode()


def test_each_takes_a_releaser(world: World, sign_in: SignIn, waits: Deployment) -> None:
    asks = waits.interruptions.create(step=waits.steps.first(), state="open")
    given = Approval.objects.create(deployment=waits, approver=world.owner, target_digest="0", state="given")
    deeds = [*DEEDS, f"interruptions/{asks.pk}", f"interruptions/{asks.pk}/take", f"approvals/{given.pk}/withdraw"]
    for deed in deeds:
        for role in ("viewer", "operator", "reviewer"):
            assert post(sign_in(getattr(world, role)), waits, deed)[0] == 403, (deed, role)
        assert post(sign_in(world.outsider), waits, deed)[0] == 404
    assert pages.again(waits).version == waits.version


# Approvals ------------------------------------------------------------------------


def test_an_approval_opens_the_gate_and_is_shown_with_its_words(
    world: World, sign_in: SignIn, waits: Deployment
) -> None:
    status, page = post(sign_in(world.owner), waits, "approve", plan_digest=waits.plan_digest, reason="Quiet hour.")
    assert status == 302 and "You have approved this plan." in page
    assert "Owner</bdi></b> approved" in page and "“<bdi>Quiet hour.</bdi>”" in page and "1 of 1" in page
    assert pages.again(waits).state == "queued"


def test_who_asked_sees_why_they_cannot_approve(world: World, sign_in: SignIn, waits: Deployment) -> None:
    browser = sign_in(world.releaser)
    page = browser.get(waits.get_absolute_url()).content.decode()
    assert "You asked for this deployment, so somebody else approves it." in page and 'id="approve-form"' not in page
    status, page = post(browser, waits, "approve", plan_digest=waits.plan_digest, reason="Let me.")
    assert status == 409 and "Let me." in page and not Approval.objects.exists()
    page = sign_in(world.viewer).get(waits.get_absolute_url()).content.decode()
    assert "Approving takes the role releaser." in page


def test_a_plan_that_changed_since_is_not_approved_and_the_words_stay(
    world: World, sign_in: SignIn, waits: Deployment
) -> None:
    status, page = post(sign_in(world.owner), waits, "approve", plan_digest="0" * 64, reason="Quiet hour.")
    assert status == 409 and "The plan has changed since you opened it." in page
    assert ">\nQuiet hour.</textarea>" in page and f'value="{waits.plan_digest}"' in page
    assert not Approval.objects.exists()


def test_a_second_tab_that_comes_too_late_is_told_and_loses_nothing(
    world: World, sign_in: SignIn, waits: Deployment
) -> None:
    browser = sign_in(world.owner)
    post(browser, waits, "approve", plan_digest=waits.plan_digest)
    status, page = post(browser, waits, "approve", plan_digest=waits.plan_digest, reason="Once <more>.")
    assert status == 409 and "it waits for no approval" in page and "Once &lt;more&gt;." in page
    status, page = post(browser, waits, "cancel", expected_version=waits.version, reason="Not on a Friday.")
    assert status == 409 and "has changed since you opened it" in page and "Not on a Friday." in page
    assert pages.again(waits).state == "queued"


def test_own_approvals_are_withdrawn_and_those_of_others_are_not(
    world: World, sign_in: SignIn, waits: Deployment
) -> None:
    finding(world.mc)
    post(sign_in(world.owner), waits, "approve", plan_digest=waits.plan_digest)
    given = Approval.objects.get()
    status, page = post(sign_in(world.admin), waits, f"approvals/{given.pk}/withdraw")
    assert status == 409 and "Only who gave an approval withdraws it." in page
    status, page = post(sign_in(world.owner), waits, f"approvals/{given.pk}/withdraw")
    assert status == 302 and "Your approval is withdrawn." in page and "0 of 1" in page
    other = build.deployment(world.mc)
    assert post(sign_in(world.owner), other, f"approvals/{given.pk}/withdraw")[0] == 404


# Looking, cancelling ----------------------------------------------------------------


def test_evaluating_again_judges_what_is_so_now(world: World, sign_in: SignIn) -> None:
    holds_it = finding(world.mc)
    waits = pages.place(world.mc).ask(world.releaser)
    waive(holds_it)
    status, page = post(sign_in(world.releaser), waits, "look")
    assert status == 302 and "The gate was asked again." in page
    assert pages.again(waits).state == "queued"
    status, page = post(sign_in(world.releaser), waits, "look")
    assert status == 409 and "its gate is not asked now" in page


def test_cancelling_takes_a_reason_and_starts_nothing(world: World, sign_in: SignIn, waits: Deployment) -> None:
    browser = sign_in(world.releaser)
    status, page = post(browser, waits, "cancel", expected_version=waits.version, reason=" ")
    assert status == 422 and "Why it is not to go is required." in page
    status, page = post(browser, waits, "cancel", expected_version="x", reason="Not on a Friday.")
    assert status == 422 and "The form was damaged on its way." in page and "Not on a Friday." in page
    status, page = post(browser, waits, "cancel", expected_version=waits.version, reason="Not on a Friday.")
    assert status == 302 and "Not on a Friday." in page
    assert pages.again(waits).state == "cancelled"


# On its way -------------------------------------------------------------------------


def test_a_step_is_stopped_once_it_is_the_one_that_was_seen(world: World, sign_in: SignIn) -> None:
    deployment = pages.place(world.mc).ask(world.releaser)
    browser = sign_in(world.releaser)
    status, page = post(browser, deployment, "stop", step=1, reason="Wrong branch.")
    assert status == 409 and "Cancel it instead." in page and "Wrong branch." in page
    claim = pages.begun(deployment)
    status, page = post(browser, deployment, "stop", step=2, reason="Wrong branch.")
    assert status == 409 and "does not run now" in page and "Wrong branch." in page
    assert post(browser, deployment, "stop", step=1)[0] == 422
    assert Job.objects.get(pk=claim.job_id).cancel_at is None
    status, page = post(browser, deployment, "stop", step=1, reason="Wrong branch.")
    assert status == 302 and "Its worker was told to stop it." in page
    assert Job.objects.get(pk=claim.job_id).cancel_at is not None


@pytest.mark.parametrize("choice", ["skip", "fail"])
def test_what_does_not_happen_as_planned_takes_a_reason(world: World, sign_in: SignIn, choice: str) -> None:
    deployment = pages.interrupted(pages.place(world.mc).ask(world.releaser))
    asks = deployment.interruptions.get()
    browser = sign_in(world.releaser)
    status, page = post(browser, deployment, f"interruptions/{asks.pk}", choice=choice)
    assert status == 422 and "Say why: it goes into the record of the deployment." in page
    assert pages.again(deployment).state == "interrupted"
    status, _ = post(browser, deployment, f"interruptions/{asks.pk}", choice=choice, reason="It is a test.")
    assert status == 302
    assert pages.again(deployment).state == {"skip": "succeeded", "fail": "failed"}[choice]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose how it goes on."),
        ({"choice": "explode"}, "Choose how it goes on."),
        ({"choice": "done"}, "That is no answer to this interruption."),
        ({"choice": "skip", "reason": "x" * 501}, "At most 500 characters (you sent 501)."),
    ],
)
def test_what_is_no_answer_is_refused_and_the_words_stay(
    world: World, sign_in: SignIn, sent: dict[str, str], sentence: str
) -> None:
    deployment = pages.interrupted(pages.place(world.mc).ask(world.releaser))
    asks = deployment.interruptions.get()
    sent = {"reason": "The address is wrong.", **sent}
    status, page = post(sign_in(world.releaser), deployment, f"interruptions/{asks.pk}", **sent)
    assert status in {409, 422} and sent["reason"] in page
    assert sentence in page or "The form was damaged on its way." in page
    assert pages.again(deployment).state == "interrupted"


def test_an_interruption_is_one_persons_in_hand_until_another_takes_it_over(world: World, sign_in: SignIn) -> None:
    deployment = pages.interrupted(pages.place(world.mc).ask(world.releaser))
    asks = deployment.interruptions.get()
    address, seen = f"interruptions/{asks.pk}", asks.version
    assert "Nobody has it in hand yet." in sign_in(world.viewer).get(deployment.get_absolute_url()).content.decode()
    status, page = post(sign_in(world.releaser), deployment, f"{address}/take", expected_version=seen)
    assert status == 302 and "Releaser</bdi></b> has it in hand" in page and "Take it over" not in page
    # Another tab of somebody else, in which nobody had it: neither taken nor answered over the head of who has it.
    owner = sign_in(world.owner)
    assert post(owner, deployment, f"{address}/take", expected_version=seen)[0] == 409
    status, page = post(owner, deployment, address, choice="retry", reason="I know it.")
    assert status == 409 and "Releaser has it in hand. Take it over first" in page and "I know it." in page
    asks.refresh_from_db()
    assert post(owner, deployment, f"{address}/take", expected_version=asks.version)[0] == 302
    assert post(sign_in(world.releaser), deployment, address, choice="retry")[0] == 409
    assert post(owner, deployment, address, choice="retry")[0] == 302
    asks.refresh_from_db()
    assert (asks.owner, asks.answered_by) == (world.owner, world.owner)
    assert post(owner, deployment, f"{address}/take", expected_version=asks.version)[0] in {302, 409}


def test_who_answers_what_nobody_had_in_hand_had_it_then(world: World, sign_in: SignIn) -> None:
    deployment = pages.interrupted(pages.place(world.mc).ask(world.releaser))
    asks = deployment.interruptions.get()
    assert post(sign_in(world.releaser), deployment, f"interruptions/{asks.pk}", choice="retry")[0] == 302
    asks.refresh_from_db()
    assert asks.owner == world.releaser


def test_an_answer_to_an_earlier_interruption_is_none_to_the_next(world: World, sign_in: SignIn) -> None:
    deployment = pages.place(world.mc).ask(world.releaser)
    browser = sign_in(world.releaser)
    pages.ended(pages.begun(deployment), right=False, message="Exit code 2.", code=2)
    first = deployment.interruptions.get()
    assert post(browser, deployment, f"interruptions/{first.pk}", choice="retry")[0] == 302
    pages.ended(pages.begun(deployment), right=False, message="Exit code 3.", code=3)
    status, page = post(browser, deployment, f"interruptions/{first.pk}", choice="skip", reason="It is a test.")
    assert status == 409 and "It is a test." in page
    assert Step.objects.get(deployment=deployment, n=1).state == "failed"
    other = build.deployment(world.mc)
    assert post(browser, other, f"interruptions/{first.pk}", choice="retry")[0] == 404


# Back -------------------------------------------------------------------------------


def test_what_stands_there_is_rolled_back_with_a_reason(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    place.put(world.releaser)
    stands = pages.walked(place.ask(world.releaser))
    browser = sign_in(world.releaser)
    assert post(browser, stands, "rollback", expected_version=stands.version)[0] == 422
    status, page = post(browser, stands, "rollback", expected_version=stands.version - 1, reason="It leaks.")
    assert status == 409 and "It leaks." in page and pages.again(stands).state == "succeeded"
    assert post(browser, stands, "rollback", expected_version=stands.version, reason="It leaks.")[0] == 302
    assert pages.again(stands).state == "rolling_back"
    assert stands.release is not None and stands.release.holds.get().state == HoldState.HOLDING
    # A second tab, which still shows the button.
    status, page = post(browser, stands, "rollback", expected_version=stands.version, reason="It leaks, I said.")
    assert status == 409 and "It leaks, I said." in page


def test_what_was_followed_and_what_runs_does_not_go_back(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    first = place.put(world.releaser)
    second = pages.walked(place.ask(world.releaser), steps=1)
    browser = sign_in(world.releaser)
    status, page = post(browser, second, "rollback", expected_version=second.version, reason="It leaks.")
    assert status == 409 and "It leaks." in page and pages.again(second).state == "running"
    pages.walked(second)
    page = browser.get(first.get_absolute_url()).content.decode()
    assert "Another deployment has followed there." in page and 'id="roll-back-form"' not in page
    status, _ = post(browser, first, "rollback", expected_version=first.version, reason="It leaks.")
    assert status == 409 and pages.again(first).state == "succeeded"
