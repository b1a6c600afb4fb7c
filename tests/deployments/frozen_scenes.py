"""Scenes of the gate and of time for the browser: freezes, soaking, needs, a deployment that is held under way."""

from __future__ import annotations

from datetime import datetime, timedelta

from deployments import dependencies, freezes, overriding
from portal.core import clock
from tests import factories
from tests.deployments import build, pages
from tests.factories import Role, World
from tests.reviews import build as reviews


def _wall(days: int, hour: int) -> datetime:
    day = clock.now() + timedelta(days=days)
    return day.replace(tzinfo=None, hour=hour, minute=0, second=0, microsecond=0)


def scenes(world: World) -> dict[str, str]:
    """In a project of its own: a freeze of MC would stand in the way of the others."""
    fair = factories.project("FAIR", "The fair")
    for who, role in (("owner", Role.OWNER), ("releaser", Role.RELEASER), ("viewer", Role.VIEWER)):
        factories.member(fair, getattr(world, who), role)
    staging = pages.place(fair, "booth", "staging", place=1)
    live = build.environment(
        fair, "live", place=2, follows=staging.environment, soak_minutes=90, variables={"PORT": "8001"}
    )
    till = pages.place(fair, "till", "market", place=3)
    dependencies.change(till.service, expected_version=1, needs={"booth": 2})
    held = pages.walked(staging.ask(world.releaser), steps=1)
    running = pages.begun(held)
    reviews.finding(fair)
    pages.ended(running)
    asked = {"time_zone": "Europe/Berlin", "weekly": False}
    freezes.plan(fair, environment=live, begins=None, ends=_wall(3, 18), reason="The fair is open.", **asked)
    freezes.plan(
        fair, environment=None, begins=_wall(9, 18), ends=_wall(23, 8), reason="Nobody is at the desk.", **asked
    )
    freezes.plan(
        fair,
        environment=till.environment,
        begins=_wall(1, 20),
        ends=_wall(2, 6),
        time_zone="Asia/Tokyo",
        weekly=True,
        reason="The till is counted.",
    )
    off = freezes.plan(fair, environment=till.environment, begins=None, ends=_wall(2, 6), reason="Rain.", **asked)
    waits = pages.place(fair, "lamp", "hall", place=4).ask(world.releaser)
    kept = pages.Place(fair, till.service, till.environment).ask(world.releaser)
    overriding.override(kept, off.pk, by=world.owner, plan_digest=kept.plan_digest, reason="The till is wrong.")
    frozen = pages.Place(fair, staging.service, live).ask(world.releaser)
    freezes.lift(off, expected_version=1, reason="The sun is out again.")
    assert waits.state == "waiting_gate", "a finding holds it"
    return {
        "freezes": "/deployments/calendar/?project=FAIR",
        "freeze": off.get_absolute_url(),
        "freeze-planned": fair.freezes.earliest("pk").get_absolute_url(),
        "freeze-new": "/deployments/freezes/new/FAIR/",
        "deployment-frozen": frozen.get_absolute_url(),
        "deployment-overridden": kept.get_absolute_url(),
        "deployment-held-under-way": held.get_absolute_url(),
        "service-needs": f"{till.service.get_absolute_url()}needs/",
        "service-needing": till.service.get_absolute_url(),
        "environment-frozen": live.get_absolute_url(),
        "environment-follows": f"{live.get_absolute_url()}edit/",
    }
