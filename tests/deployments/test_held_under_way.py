"""A deployment under way whose gate closes holds before its next step; a person goes on, ends it or goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployments import holds, interruptions, rollout
from deployments.models import Deployment, Interruption, Step
from portal.core.lifecycle import Refused
from portal.core.models import Activity, Notification
from portal.core.unit import unit_of_work
from tests.deployments import pages
from tests.reviews.build import finding, waive
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World


def begun(world: World, *, steps: int = 1) -> Deployment:
    """Over a release that stands there; that many of its steps are done."""
    place = pages.place(world.mc)
    place.put(world.releaser)
    return pages.walked(place.ask(world.releaser), steps=steps)


def held_at(deployment: Deployment) -> Interruption:
    found = interruptions.open_of(pages.again(deployment))
    assert found is not None
    return found


def states(deployment: Deployment, phase: str = "forward") -> list[str]:
    return list(deployment.steps.filter(phase=phase).order_by("n").values_list("state", flat=True))


def queued(deployment: Deployment) -> int:
    return Job.objects.filter(subject=deployment.subject, state="queued").count()


def test_a_finding_that_opens_between_two_steps_holds_it_before_the_next(world: World) -> None:
    moving = begun(world)
    frozen_then = moving.verdict_id
    running = pages.begun(moving)
    found = finding(world.mc)
    pages.ended(running)
    held = held_at(moving)
    now = pages.again(moving)
    assert (now.state, held.about, held.step.n) == ("interrupted", "gate", 3)
    assert states(now) == ["succeeded", "succeeded", "waiting", "waiting"] and queued(now) == 0
    assert now.verdict_id != frozen_then and now.verdict.blocking == [found.pk], "it was judged anew"
    assert held.detail.startswith("The gate has closed: ") and found.title in held.detail
    told = Notification.objects.get(user=world.owner, verb="deployment.interrupt").title
    assert "is held before Restart, one by one. The gate has closed" in told
    assert interruptions.choices_of(held) == ["retry", "roll_back", "fail"], "nothing of the step is there to skip"
    with pytest.raises(Refused, match="The gate is still closed: .* Lift that, then go on."):
        interruptions.answer(held, "retry", by=world.releaser)
    waive(found)
    interruptions.answer(held_at(moving), "retry", by=world.releaser)
    assert pages.walked(moving).state == "succeeded"
    verbs = set(Activity.objects.filter(subject=moving.subject).values_list("verb", flat=True))
    assert {"deployment.judged", "deployment.interrupt", "deployment.go_on"} <= verbs


def test_it_is_asked_again_when_a_worker_takes_up_the_step(world: World) -> None:
    """The step waited in the queue for a worker, and the finding opened meanwhile."""
    moving = begun(world)
    finding(world.mc)
    step = Step.objects.select_related("deployment__service__project", "deployment__environment").get(
        deployment=moving, n=2
    )
    with unit_of_work():
        assert rollout.held_at_gate(step)
    assert pages.again(moving).state == "interrupted"


def test_a_hold_that_is_placed_under_way_holds_it_and_a_freeze_does_not(world: World) -> None:
    from tests.deployments.test_freezes import frozen

    moving = begun(world)
    frozen(world.mc)
    running = pages.begun(moving)
    hold = holds.hold_environment(moving.environment, reason="The lift is broken.")
    pages.ended(running)
    assert "is held: The lift is broken." in held_at(moving).detail
    holds.lift(hold, expected_version=1, reason="Mended.")
    interruptions.answer(held_at(moving), "retry", by=world.releaser)
    assert pages.walked(moving).state == "succeeded"


def test_it_goes_back_or_ends_as_the_person_says_and_on_the_way_back_nothing_is_asked(world: World) -> None:
    moving = begun(world, steps=2)
    finding(world.mc)
    pages.ended(pages.begun(moving))
    interruptions.answer(held_at(moving), "roll_back", by=world.releaser, reason="It is worse than it was.")
    back = pages.walked(moving)
    assert (back.state, states(back, "back")[0]) == ("rolled_back", "succeeded")
    assert states(back) == ["succeeded", "succeeded", "succeeded", "waiting"]


def test_it_ends_as_failed_where_the_person_says_so(world: World) -> None:
    moving = begun(world)
    running = pages.begun(moving)
    finding(world.mc)
    pages.ended(running)
    interruptions.answer(held_at(moving), "fail", by=world.releaser, reason="Tomorrow.")
    assert pages.again(moving).state == "failed"


def test_a_step_of_a_person_is_not_asked_for_while_the_gate_is_closed(world: World) -> None:
    place = pages.place(world.mc)
    place.service.pipeline.filter(n=2).update(kind="manual", command=[], undo=[], instructions="Look at it.")
    moving = place.ask(world.releaser)
    running = pages.begun(moving)
    finding(world.mc)
    pages.ended(running)
    assert (held_at(moving).about, states(moving)[1]) == ("gate", "waiting")


def test_what_has_changed_and_holds_nothing_is_judged_anew_and_it_goes_on(world: World) -> None:
    moving = begun(world)
    before = moving.verdict_id
    running = pages.begun(moving)
    waive(finding(world.mc), scope="production")
    pages.ended(running)
    now = pages.again(moving)
    assert (now.state, now.verdict.go) == ("running", True)
    assert now.verdict_id != before
