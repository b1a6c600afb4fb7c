"""A deployment's way, through real git, real commands and a service that reports its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployments import interruptions, requesting, rollout
from deployments.models import Deployment, Hold, Placement
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from tests import factories
from tests.deployments import build
from tests.deployments.shipyard import Shipyard, again, steps_of
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_step_runs_and_the_service_itself_reports_the_commit(yard: Shipyard) -> None:
    shipped = yard.ask()
    assert shipped.state == "succeeded", shipped.why
    assert (shipped.commit, shipped.release.commit, str(shipped.release)) == (yard.head, yard.head, "web-1")
    assert yard.done == [f"build {yard.head[:7]}", f"migrate {yard.head[:7]}"]
    assert [state for _, state in steps_of(shipped)] == ["succeeded"] * 4 + ["waiting"]
    health = shipped.steps.get(n=4).health_checks.get()
    assert (health.right, health.status, health.reported) == (True, 200, yard.head)
    placement = Placement.objects.get()
    assert (placement.release, placement.deployment, placement.verified_at is not None) == (
        shipped.release,
        shipped,
        True,
    )


def test_the_way_back_is_planned_before_the_first_step(yard: Shipyard, world: World) -> None:
    yard.ask()
    yard.commit("door.txt", "oiled\n")
    yard.environment.approvals_needed = 1
    yard.environment.save()
    waits = yard.ask(by=world.releaser)
    assert (waits.state, str(waits.previous)) == ("waiting_gate", "web-1")
    back = [(step.name, step.commit == waits.commit) for step in waits.steps.filter(phase="back").order_by("n")]
    assert back == [("Undo: Migrate", True), ("Build", False), ("Restart", False), ("Health", False)]


def test_a_service_that_reports_another_commit_is_not_healthy_and_a_person_decides(yard: Shipyard) -> None:
    yard.set_step(3, command=yard.restart("0" * 40))
    yard.set_step(4, wall_seconds=1)
    held = yard.ask()
    assert held.state == "interrupted"
    interruption = interruptions.open_of(held)
    assert interruption is not None
    assert "never reported" in interruption.detail
    assert "000000" in interruption.detail
    assert not Placement.objects.exists()


def test_a_failed_step_goes_on_as_the_person_says(yard: Shipyard, world: World) -> None:
    (yard.folder / "stop").touch()
    guard = "import os,sys;sys.exit(os.path.exists(sys.argv[1]))"
    yard.set_step(1, command=["python3", "-c", guard, str(yard.folder / "stop")])
    held = yard.ask()
    assert (held.state, held.steps.get(n=1).exit_code, yard.done) == ("interrupted", 1, [])
    (yard.folder / "stop").unlink()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "retry", by=world.releaser)
    shipped = yard.run(held)
    assert shipped.state == "succeeded"
    with pytest.raises(Refused):
        interruptions.answer(interruption, "fail", by=world.owner, reason="Too late.")


def test_skipping_takes_a_reason_and_leaves_it_in_the_record(yard: Shipyard, world: World) -> None:
    yard.set_step(2, command=["false"])
    held = yard.ask()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    with pytest.raises(Refused, match="Say why"):
        interruptions.answer(interruption, "skip", by=world.releaser)
    interruptions.answer(interruption, "skip", by=world.releaser, reason="Done by hand.")
    shipped = yard.run(held)
    assert (shipped.state, shipped.steps.get(n=2).message) == ("succeeded", "Skipped: Done by hand.")


def test_after_a_failed_migration_nothing_is_restarted(yard: Shipyard, world: World) -> None:
    yard.set_step(2, command=["false"])
    held = yard.ask()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "fail", by=world.releaser, reason="Tomorrow.")
    ended = yard.run(held)
    assert (ended.state, ended.why, ended.ended_at is not None) == ("failed", "Tomorrow.", True)
    assert [state for _, state in steps_of(ended)][:4] == ["succeeded", "failed", "waiting", "waiting"]
    assert Placement.objects.get().release is None, "the migration began: what stands there is not known"


def test_an_end_before_anything_changed_leaves_what_stands_there(yard: Shipyard, world: World) -> None:
    first = yard.ask()
    yard.set_step(1, command=["false"])
    held = yard.ask()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "fail", by=world.releaser, reason="Never mind.")
    assert Placement.objects.get().release == first.release


def test_a_rollback_undoes_what_began_and_brings_the_release_before_back(yard: Shipyard, world: World) -> None:
    first = yard.ask()
    old = yard.head
    yard.commit("door.txt", "oiled\n")
    second = yard.ask()
    assert yard.reporter.file.read_text() == yard.head != old
    with unit_of_work():
        rollout.roll_back(second, reason="It squeaks.")
    back = yard.run(second)
    assert (back.state, yard.reporter.file.read_text()) == ("rolled_back", old)
    assert yard.done[-2:] == [f"undo {yard.head[:7]}", f"build {old[:7]}"]
    assert Placement.objects.get().release == first.release
    hold = Hold.objects.get()
    assert (hold.release, hold.cause, hold.state) == (second.release, second, "holding")


def test_one_way_back_leads_to_the_next(yard: Shipyard, world: World) -> None:
    """What a rollback brought back stands there, and can be taken back itself."""
    yard.ask()
    old = yard.head
    for text in ("oiled\n", "painted\n"):
        yard.commit("door.txt", text)
        yard.ask()
    second, third = Deployment.objects.order_by("pk")[1:]
    with unit_of_work(), pytest.raises(Refused, match="Another deployment has followed"):
        rollout.roll_back(again(second), reason="Not this one.")
    for deployment in (third, second):
        with unit_of_work():
            rollout.roll_back(again(deployment), reason="It squeaks.")
        assert yard.run(deployment).state == "rolled_back"
    assert yard.reporter.file.read_text() == old


def test_a_rolled_back_release_stays_rolled_back_until_its_hold_is_lifted(yard: Shipyard, world: World) -> None:
    from deployments import holds

    yard.ask()
    yard.commit("door.txt", "oiled\n")
    second = yard.ask()
    with unit_of_work():
        rollout.roll_back(second, reason="It squeaks.")
    yard.run(second)
    held = yard.ask()
    assert held.state == "waiting_gate"
    holds.lift(Hold.objects.get(), expected_version=1, reason="The door was the wrong one.")
    requesting.look_at_waiting()
    assert yard.run(held).state == "succeeded"


def test_where_the_environment_says_so_red_health_rolls_back_by_itself(yard: Shipyard) -> None:
    yard.environment.on_failure = "roll_back"
    yard.environment.save()
    yard.ask()
    old = yard.head
    yard.commit("door.txt", "oiled\n")
    broken = yard.restart("0" * 40)
    yard.set_step(3, command=broken, again=False)
    yard.set_step(4, wall_seconds=1)
    back = yard.ask()
    assert back.state == "rolled_back", back.why
    assert "Health failed" in back.why
    assert yard.reporter.file.read_text() == old


def test_what_never_began_is_not_undone(yard: Shipyard, world: World) -> None:
    yard.ask()
    yard.commit("door.txt", "oiled\n")
    yard.set_step(1, command=["false"])
    held = yard.ask()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "roll_back", by=world.releaser, reason="Not today.")
    back = yard.run(held)
    assert back.state == "rolled_back"
    assert back.steps.get(name="Undo: Migrate").state == "skipped"


def test_a_manual_step_waits_for_its_person_and_holds_the_place(yard: Shipyard, world: World) -> None:
    build.add_step(yard.service, "manual", "Ring the bell", instructions="Ring it twice.")
    waits = yard.ask()
    assert waits.state == "interrupted"
    assert not Job.objects.filter(state__in=["queued", "running"]).exists()
    other = yard.ask()
    assert other.state == "waiting_gate"
    interruption = interruptions.open_of(waits)
    assert interruption is not None
    interruptions.answer(interruption, "done", by=world.releaser, reason="Rung.")
    assert again(waits).state == "succeeded"
    assert again(other).state == "queued", "the place is free"


def test_a_pipeline_may_begin_with_a_person(yard: Shipyard, world: World) -> None:
    yard.set_step(1, kind="manual", command=[], instructions="Ring the bell.")
    waits = yard.ask()
    assert (waits.state, waits.steps.get(n=1).state, yard.done) == ("interrupted", "needs_person", [])
    interruption = interruptions.open_of(waits)
    assert interruption is not None
    interruptions.answer(interruption, "done", by=world.releaser)
    assert yard.run(waits).state == "succeeded"


def test_a_deployment_whose_place_changed_meanwhile_is_planned_again(yard: Shipyard, world: World) -> None:
    from deployments import approvals

    yard.environment.approvals_needed = 1
    yard.environment.save()
    older = yard.ask(by=world.operator)
    yard.commit("door.txt", "oiled\n")
    yard.environment.approvals_needed = 0
    yard.environment.save()
    # Its gate is not looked at before the newer one has gone through: both are asked for, the newer one is faster.
    newer = requesting.request(yard.service, yard.environment, asked=yard.head)
    yard.environment.approvals_needed = 1
    yard.environment.save()
    newer = yard.run(newer)
    approvals.approve(newer, by=world.releaser, plan_digest=newer.plan_digest)
    assert yard.run(newer).state == "succeeded"
    assert again(older).state == "cancelled", "an older wish does not go over a newer one"


def test_service_and_environment_are_of_one_project(world: World) -> None:
    with pytest.raises(Refused, match="different projects"):
        requesting.request(build.service(world.mc), build.environment(factories.project("LAN")))


def test_a_service_without_steps_goes_nowhere(world: World) -> None:
    service = build.service(world.mc)
    service.pipeline.all().delete()
    with pytest.raises(Refused, match="no steps yet"):
        requesting.request(service, build.environment(world.mc))


def test_two_clicks_are_one_deployment(world: World) -> None:
    service, environment = build.service(world.mc), build.environment(world.mc)
    first = requesting.request(service, environment, by=world.releaser)
    assert requesting.request(service, environment, by=world.releaser) == first
    assert requesting.request(service, environment, by=world.owner) != first
    assert Job.objects.count() == 2


@pytest.mark.parametrize(
    ("asked", "said"), [("no-such-branch", "has no branch, tag or commit"), ("0" * 40, "has no branch, tag or commit")]
)
def test_what_is_not_in_the_repository_is_refused_with_its_name(yard: Shipyard, asked: str, said: str) -> None:
    refused = yard.ask(asked)
    assert refused.state == "refused"
    assert said in refused.why
    assert asked in refused.why


def test_an_address_with_a_variable_that_is_not_there_is_refused(yard: Shipyard) -> None:
    yard.environment.variables = {}
    yard.environment.save()
    refused = yard.ask()
    assert (refused.state, "{PORT}" in refused.why) == ("refused", True)
