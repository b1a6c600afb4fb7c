"""The gate at work: approvals by others, holds, one at a time, and what lifts each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployments import approvals, gates, holds, places, requesting
from deployments.models import Approval, Deployment, Hold, Placement, Release
from portal.core.access import Role
from portal.core.lifecycle import Refused
from tests.deployments.shipyard import Shipyard, again
from tests.reviews import build as build_review
from tickets import projects
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def guarded(yard: Shipyard) -> Shipyard:
    """Production takes one approval."""
    yard.environment.approvals_needed = 1
    yard.environment.save()
    return yard


def conditions(deployment: Deployment) -> dict[str, bool]:
    return {condition.kind: condition.met for condition in gates.look(again(deployment)).conditions}


def test_a_deployment_waits_until_the_findings_say_go_and_then_goes_by_itself(yard: Shipyard) -> None:
    finding = build_review.finding(yard.project)
    waits = yard.ask()
    assert (waits.state, waits.verdict.go, waits.verdict.commit) == ("waiting_gate", False, yard.head)
    requesting.look_at_waiting()
    assert again(waits).verdict == waits.verdict, "nothing changed: the verdict stands"
    build_review.waive(finding)
    requesting.look_at_waiting()
    assert (again(waits).state, again(waits).verdict.go) == ("queued", True)
    assert yard.run(waits).state == "succeeded"
    waits.verdict.refresh_from_db()
    assert not waits.verdict.go, "the older answer stays as it was given"


def test_who_looks_again_is_not_stopped_by_the_clock_that_looked_meanwhile(yard: Shipyard) -> None:
    finding = build_review.finding(yard.project)
    waits = yard.ask()
    read_before = again(waits)
    build_review.waive(finding)
    other = build_review.finding(yard.project)
    requesting.look_at_waiting()
    assert again(waits).version > read_before.version
    build_review.waive(other)
    build_review.finding(yard.project)
    assert not requesting.look_again(read_before).is_open
    assert read_before.version == again(waits).version


def test_an_approval_opens_the_gate_at_once(guarded: Shipyard, world: World) -> None:
    waits = guarded.ask(by=world.owner)
    assert (waits.state, conditions(waits)) == ("waiting_gate", {"approvals": False})
    approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest, reason="Read it.")
    assert again(waits).state == "queued"


def test_who_asked_never_approves(guarded: Shipyard, world: World) -> None:
    waits = guarded.ask(by=world.releaser)
    with pytest.raises(Refused, match="somebody else approves"):
        approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    # Nor does a row that says so, however it came there.
    digest = waits.plan_digest
    Approval.objects.create(
        deployment=waits, approver=world.releaser, approver_label="R", target_digest=digest, state="given"
    )
    requesting.look_at_waiting()
    assert again(waits).state == "waiting_gate"


def test_a_quorum_counts_people_and_not_clicks(guarded: Shipyard, world: World) -> None:
    guarded.environment.approvals_needed = 2
    guarded.environment.save()
    waits = guarded.ask(by=world.owner)
    approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    with pytest.raises(Refused, match="You have approved"):
        approvals.approve(again(waits), by=world.releaser, plan_digest=waits.plan_digest)
    assert again(waits).state == "waiting_gate"
    approvals.approve(again(waits), by=world.admin, plan_digest=waits.plan_digest)
    assert again(waits).state == "queued"


def test_an_approval_is_for_the_plan_that_was_seen(guarded: Shipyard, world: World) -> None:
    waits = guarded.ask(by=world.owner)
    with pytest.raises(Refused, match="plan has changed"):
        approvals.approve(waits, by=world.releaser, plan_digest="0" * 64)
    assert not Approval.objects.exists()


def test_a_new_plan_takes_new_approvals(guarded: Shipyard, world: World) -> None:
    waits = guarded.ask(by=world.owner)
    approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    before = again(waits)
    # Something else comes to stand there before a worker takes the first step.
    other = guarded.service.releases.get()
    stands = Release.objects.create(
        service=guarded.service, number=9, digest="9" * 64, commit=other.commit, pipeline=[]
    )
    Placement.objects.create(
        service=guarded.service,
        environment=guarded.environment,
        release=stands,
        deployment=before,
        since="2026-01-01T00:00Z",
    )
    now = guarded.run(waits)
    assert (now.state, now.previous, now.plan_digest != before.plan_digest) == ("waiting_gate", stands, True)
    assert conditions(now) == {"approvals": False}
    approvals.approve(now, by=world.releaser, plan_digest=now.plan_digest)
    assert guarded.run(now).state == "succeeded"


def test_other_variables_are_another_plan(guarded: Shipyard, world: World) -> None:
    """What was approved is what runs: nobody slips another address under it."""
    waits = guarded.ask(by=world.owner)
    approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    variables = {**guarded.environment.variables, "TARGET": "elsewhere"}
    places.change_environment(guarded.environment, expected_version=1, variables=variables)
    now = guarded.run(waits)
    assert (now.state, now.variables, guarded.done) == ("waiting_gate", variables, [])
    assert conditions(now) == {"approvals": False}
    places.change_environment(guarded.environment, expected_version=2, variables={})
    requesting.look_at_waiting()
    assert (again(waits).state, "{PORT}" in again(waits).why) == ("refused", True)


def test_an_approval_of_somebody_who_may_not_any_more_counts_no_more(guarded: Shipyard, world: World) -> None:
    guarded.environment.approvals_needed = 2
    guarded.environment.save()
    waits = guarded.ask(by=world.owner)
    approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    projects.let_in(guarded.project, world.releaser, Role.VIEWER)
    approvals.approve(again(waits), by=world.admin, plan_digest=waits.plan_digest)
    assert again(waits).state == "waiting_gate"


def test_what_was_cancelled_before_a_worker_came_leaves_no_dead_job(yard: Shipyard) -> None:
    deployment = requesting.request(yard.service, yard.environment)
    requesting.cancel(deployment, expected_version=1, reason="Never mind.")
    assert yard.run(deployment).state == "cancelled"
    assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}


def test_a_withdrawn_approval_counts_no_more(guarded: Shipyard, world: World) -> None:
    waits = guarded.ask(by=world.owner)
    given = approvals.approve(waits, by=world.releaser, plan_digest=waits.plan_digest)
    with pytest.raises(Refused, match="Only who gave"):
        approvals.withdraw(given, by=world.owner)
    given.deployment.refresh_from_db()
    approvals.withdraw(given, by=world.releaser)
    assert guarded.run(waits).state == "waiting_gate", "the gate is asked again before the first step"
    assert not guarded.done


def test_a_held_environment_takes_nothing_until_the_hold_is_lifted(yard: Shipyard) -> None:
    hold = holds.hold_environment(yard.environment, reason="The quay is closed.")
    assert holds.hold_environment(yard.environment, reason="Still.") == hold
    waits = yard.ask()
    (condition,) = gates.look(waits).conditions
    assert (waits.state, condition.met, "The quay is closed." in condition.text) == ("waiting_gate", False, True)
    with pytest.raises(Refused, match="Say why"):
        holds.lift(hold, expected_version=1, reason=" ")
    holds.lift(hold, expected_version=1, reason="It is open.")
    requesting.look_at_waiting()
    assert again(waits).state == "queued"
    assert Hold.objects.get().lift_reason == "It is open."


def test_a_gate_that_closes_before_the_first_step_stops_it(yard: Shipyard) -> None:
    deployment = requesting.request(yard.service, yard.environment)
    # The finding comes between the look at the gate and the start.
    once = Drain("steps", "steps@test", LeaseKeeper("steps@test"), lambda: again(deployment).state == "queued")
    once.run()
    assert again(deployment).state == "queued"
    build_review.finding(yard.project)
    now = yard.run(deployment)
    assert (now.state, now.verdict.go, now.started_at, yard.done) == ("waiting_gate", False, None, [])


def test_a_gate_that_is_not_open_in_time_refuses(yard: Shipyard) -> None:
    build_review.finding(yard.project)
    waits = yard.ask()
    Deployment.objects.filter(pk=waits.pk).update(expires_at="2026-01-01T00:00:00Z")
    requesting.look_at_waiting()
    now = again(waits)
    assert (now.state, now.why) == ("refused", "The gate was not open within 72 hours.")
    assert not Job.objects.filter(state="queued").exists()


def test_one_deployment_has_the_place_at_a_time(yard: Shipyard) -> None:
    yard.set_step(1, command=["false"])
    holding = yard.ask()
    assert holding.state == "interrupted"
    other = yard.ask()
    (condition,) = gates.look(other).conditions
    assert (other.state, condition.kind, condition.url) == ("waiting_gate", "busy", holding.get_absolute_url())


def test_cancelling_ends_what_has_not_started(yard: Shipyard) -> None:
    build_review.finding(yard.project)
    waits = yard.ask()
    requesting.cancel(waits, expected_version=waits.version, reason="Not today.")
    assert (again(waits).state, again(waits).why) == ("cancelled", "Not today.")


def test_a_policy_is_set_on_the_number_that_was_seen(world: World) -> None:
    places.set_policy(world.mc, severities=["high"], valid_hours=1, expected_number=0)
    with pytest.raises(Refused):
        places.set_policy(world.mc, severities=[], valid_hours=1, expected_number=0)
