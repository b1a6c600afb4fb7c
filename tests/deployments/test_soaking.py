"""A commit goes somewhere once it has stood verified in the environment before, for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deployments import gates, places, rollout, soaking
from deployments.models import Environment, Placement
from deployments.placements import CHANGED
from portal.core import clock
from portal.core.lifecycle import Refused
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests import factories
from tests.deployments import build, pages
from tests.deployments.pages import Place

if TYPE_CHECKING:
    from tests.factories import World


def both(world: World, **after: Any) -> tuple[Place, Place]:
    """Staging, and production that follows it."""
    staging = pages.place(world.mc, to="staging")
    live = build.environment(world.mc, "live", follows=staging.environment, variables={"PORT": "8001"}, **after)
    return staging, Place(world.mc, staging.service, live)


def asked(deployment: Any) -> Any:
    found = gates.look(pages.again(deployment)).conditions
    (condition,) = [condition for condition in found if condition.kind == "soak"]
    return condition


def earlier(**ago: int) -> None:
    """What stands anywhere was put there, and verified, then."""
    at = clock.now() - timedelta(**ago)
    Placement.objects.update(since=at, verified_at=at)


def put_before(placement: Placement, *, verified: bool, **ago: int) -> None:
    """A line of history: what stands there was put there before, too."""
    after = {"environment": placement.environment_id, "release": placement.release_id, "verified": verified}
    at = clock.now() - timedelta(**ago)
    Activity.objects.create(verb=CHANGED, subject=placement.service.subject, actor_label="x", after=after, at=at)


def test_what_never_stood_before_holds_and_leads_there(world: World) -> None:
    _, live = both(world)
    condition = asked(live.ask(world.releaser))
    assert not condition.met and "nothing of it was ever deployed to staging" in condition.detail
    assert condition.lift == "deploy it to staging first" and condition.url


def test_it_stands_there_for_so_long_and_the_reason_leads_to_what_brought_it(world: World) -> None:
    staging, live = both(world, soak_minutes=60)
    first = staging.put(world.releaser, pages.COMMIT)
    earlier(minutes=50)
    waits = live.ask(world.releaser)
    condition = asked(waits)
    assert not condition.met and "10 minutes to go" in condition.detail
    assert condition.url == first.get_absolute_url()
    earlier(minutes=61)
    assert asked(waits).met


def test_another_commit_or_one_that_nobody_verified_is_not_it(world: World) -> None:
    staging, live = both(world)
    staging.put(world.releaser, pages.OLDER)
    waits = live.ask(world.releaser)
    assert "web-1 (5be1c20" in asked(waits).detail
    staging.put(world.releaser, pages.COMMIT)
    assert asked(waits).met
    Placement.objects.update(verified_at=None)
    assert "the service itself has not reported it" in asked(waits).detail
    Placement.objects.update(release=None)
    assert "is not known since deployment" in asked(waits).detail


def test_another_release_of_the_same_commit_does_not_begin_the_time_anew(world: World) -> None:
    staging, live = both(world, soak_minutes=60)
    staging.put(world.releaser, pages.COMMIT)
    put_before(Placement.objects.get(), verified=True, minutes=90)
    staging.service.pipeline.filter(n=1).update(command=["make", "more"])
    again = staging.put(world.releaser, pages.COMMIT)
    waits = live.ask(world.releaser)
    assert again.release.number == 2 and asked(waits).met
    put_before(Placement.objects.get(), verified=False, minutes=0)
    assert not asked(waits).met, "what was not verified in between breaks it"


def test_what_a_rollback_took_away_does_not_stand_there(world: World) -> None:
    staging, live = both(world, approvals_needed=1)
    staging.put(world.releaser, pages.OLDER)
    there = staging.put(world.releaser, pages.COMMIT)
    waits = live.ask(world.releaser)
    assert asked(waits).met
    with unit_of_work():
        rollout.roll_back(there, reason="It squeaks.")
    pages.walked(there)
    assert not asked(waits).met and "5be1c20" in asked(waits).detail


def test_nothing_follows_itself(world: World) -> None:
    one, two, three = (places.add_environment(world.mc, name=name) for name in ("one", "two", "three"))
    places.change_environment(two, expected_version=1, follows=one)
    places.change_environment(three, expected_version=1, follows=two)
    for last in (one, two, three):
        with pytest.raises(Refused, match="would follow itself"):
            places.change_environment(one, expected_version=1, follows=last)
    elsewhere = build.environment(factories.project("LAN", "Lantern"))
    with pytest.raises(Refused, match="no environment of MC"):
        places.add_environment(world.mc, name="four", follows=elsewhere)
    assert list(Environment.objects.filter(project=world.mc).values_list("follows", flat=True)) == [
        None,
        one.pk,
        two.pk,
    ]
    assert soaking.problem_of(two, world.mc, None) == ""
