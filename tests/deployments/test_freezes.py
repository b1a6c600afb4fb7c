"""Freezes at the gate: planned, in force, lifted, and overridden for one deployment by a second person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deployments import freezes, gates, overriding, requesting
from deployments.models import Freeze, FreezeOverride
from portal.core import clock
from portal.core.lifecycle import NotAllowedNow, Refused
from portal.core.models import Activity
from tests import factories
from tests.deployments import build, pages

if TYPE_CHECKING:
    from tests.factories import World


def wall(**from_now: int) -> datetime:
    return (clock.now() + timedelta(**from_now)).replace(tzinfo=None, second=0, microsecond=0)


def frozen(project: Any, environment: Any = None, **more: Any) -> Freeze:
    """In force now, for a day."""
    asked = {"begins": None, "ends": wall(days=1), "time_zone": "UTC", "weekly": False, "reason": "The fair."}
    return freezes.plan(project, environment=environment, **asked | more)


def asked(deployment: Any) -> list[Any]:
    found = gates.look(pages.again(deployment)).conditions
    return [condition for condition in found if condition.kind == "freeze"]


def over(deployment: Any, freeze: Freeze, by: Any, reason: str = "It is burning.") -> FreezeOverride:
    now = pages.again(deployment)
    return overriding.override(now, freeze.pk, by=by, plan_digest=now.plan_digest, reason=reason)


def test_while_one_is_in_force_nothing_starts_and_the_gate_says_until_when_and_what_lifts_it(world: World) -> None:
    place = pages.place(world.mc)
    freeze = frozen(world.mc, place.environment)
    waits = place.ask(world.releaser)
    (condition,) = asked(waits)
    assert (waits.state, condition.met) == ("waiting_gate", False)
    assert f"{wall(days=1):%Y-%m-%d %H:%M} UTC" in condition.text and "The fair." in condition.detail
    assert "an owner of MC other than Releaser overrides it" in condition.lift
    assert condition.url == f"{waits.get_absolute_url()}#freezes"
    freezes.lift(freeze, expected_version=freeze.version, reason="The fair is off.")
    requesting.look_again(pages.again(waits))
    assert pages.again(waits).state == "queued"
    verbs = Activity.objects.filter(subject=freeze.subject).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["freeze.planned", "freeze.lift"]
    with pytest.raises(NotAllowedNow):
        freezes.lift(freeze, expected_version=freeze.version, reason="Again.")


def test_it_closes_the_gate_of_one_that_is_queued_and_leaves_alone_what_has_begun(world: World) -> None:
    place = pages.place(world.mc)
    running = place.ask(world.releaser)
    pages.walked(running, steps=1)
    frozen(world.mc)
    assert pages.walked(running).state == "succeeded"
    other = pages.place(world.mc, "api", "staging")
    queued = build.deployment(
        world.mc, "queued", service=other.service, environment=other.environment, release=build.release(other.service)
    )
    assert not gates.look(queued).is_open


def test_it_is_of_one_environment_or_of_all_that_the_project_has(world: World) -> None:
    live, staging = build.environment(world.mc, "live"), build.environment(world.mc, "staging")
    elsewhere = build.environment(factories.project("LAN", "Lantern"))
    frozen(world.mc, live)
    assert [bool(freezes.in_force(one)) for one in (live, staging, elsewhere)] == [True, False, False]
    frozen(world.mc)
    assert [len(freezes.in_force(one)) for one in (live, staging, elsewhere)] == [2, 1, 0]
    with pytest.raises(Refused, match="no environment of MC"):
        frozen(world.mc, elsewhere)


def test_one_that_comes_each_week_is_in_force_again(world: World) -> None:
    place = build.environment(world.mc)
    frozen(world.mc, place, weekly=True)
    hours = timedelta(hours=1)
    past = {"begins_at": clock.now() - timedelta(days=21) - hours, "ends_at": clock.now() - timedelta(days=21) + hours}
    Freeze.objects.update(**past)
    assert len(freezes.in_force(place)) == 1
    Freeze.objects.update(weekly=False)
    assert not freezes.in_force(place)


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("ends", {"begins": {"days": 3}, "ends": {"days": 2}}, "ends before it begins"),
        ("ends", {"begins": {"days": -3}, "ends": {"days": -2}}, "over already: it is"),
        ("begins", {"begins": {"hours": -1}}, "past: it is"),
        ("begins", {"begins": {"days": 401}, "ends": {"days": 402}}, "at most 400 days from now"),
        ("ends", {"ends": {"days": 93}}, "lasts at most 92 days"),
        ("ends", {"ends": {"days": 8}, "weekly": True}, "less than 7 days"),
        ("time_zone", {"time_zone": "Europe/Berlim"}, "Do you mean Europe/Berlin?"),
    ],
)
def test_times_that_cannot_be_are_said_at_their_field(
    world: World, field: str, typed: dict[str, Any], sentence: str
) -> None:
    given = {name: wall(**value) if isinstance(value, dict) else value for name, value in typed.items()}
    with pytest.raises(freezes.BadTimes, match=sentence) as refused:
        frozen(world.mc, **given)
    assert refused.value.field == field and not Freeze.objects.exists()


def test_a_project_plans_so_many_at_a_time(world: World, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "FREEZES_PLANNED": 2}
    made = [frozen(world.mc), frozen(world.mc)]
    with pytest.raises(Refused, match="2 freezes that are not over"):
        frozen(world.mc)
    freezes.lift(made[0], expected_version=1, reason="No.")
    frozen(world.mc)


# Overriding -----------------------------------------------------------------------


def test_another_owner_lets_one_deployment_through_with_a_reason_that_stays(world: World) -> None:
    place = pages.place(world.mc)
    freeze = frozen(world.mc)
    waits, other = place.ask(world.owner), pages.place(world.mc, "api", "staging").ask(world.releaser)
    with pytest.raises(Refused, match="another owner of MC"):
        over(waits, freeze, world.owner)
    with pytest.raises(Refused, match="Say why"):
        over(waits, freeze, world.admin, " ")
    made = over(waits, freeze, world.admin)
    assert (made.by, made.reason, pages.again(waits).state) == (world.admin, "It is burning.", "queued")
    (condition,) = asked(waits)
    assert condition.met and "Overridden for this deployment by Admin: It is burning." in condition.detail
    assert [condition.met for condition in asked(other)] == [False], "it is for one deployment"
    assert Activity.objects.filter(subject=waits.subject, verb="deployment.freeze_overridden").count() == 1
    with pytest.raises(Refused, match="It is queued"):
        over(waits, freeze, world.admin)


def test_an_override_is_void_once_the_plan_is_another(world: World) -> None:
    place = pages.place(world.mc, approvals_needed=1)
    freeze = frozen(world.mc)
    waits = place.ask(world.releaser)
    with pytest.raises(Refused, match="plan has changed"):
        overriding.override(pages.again(waits), freeze.pk, by=world.owner, plan_digest="0", reason="Now.")
    over(waits, freeze, world.owner)
    assert [condition.met for condition in asked(waits)] == [True]
    type(place.environment).objects.update(variables={"PORT": "9000"})
    gate = requesting.look_again(pages.again(waits))
    assert [condition.met for condition in gate.conditions if condition.kind == "freeze"] == [False]
    assert FreezeOverride.objects.count() == 1, "it stays in the record"
    over(waits, freeze, world.owner)
    assert [condition.met for condition in asked(waits)] == [True]


def test_an_override_counts_as_long_as_who_gave_it_may(world: World) -> None:
    freeze = frozen(world.mc)
    waits = pages.place(world.mc, approvals_needed=1).ask(world.releaser)
    over(waits, freeze, world.owner)
    factories.Membership.objects.filter(user=world.owner).update(role=factories.Role.RELEASER)
    assert [condition.met for condition in asked(waits)] == [False]
    over(waits, freeze, world.admin)


def test_a_team_of_one_overrides_alone_where_no_approval_is_needed(world: World) -> None:
    place = pages.place(world.mc)
    freeze = frozen(world.mc)
    waits = place.ask(world.owner)
    assert overriding.why_not(waits, world.owner)
    type(world.admin).objects.filter(pk=world.admin.pk).update(is_active=False)
    assert overriding.why_not(waits, world.owner) == ""
    type(place.environment).objects.update(approvals_needed=1)
    assert overriding.why_not(pages.again(waits), world.owner)
    type(place.environment).objects.update(approvals_needed=0)
    over(waits, freeze, world.owner)
    assert pages.again(waits).state == "queued"
