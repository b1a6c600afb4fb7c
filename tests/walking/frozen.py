"""A freeze of the walked world, what is typed for another, and what a service of it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from deployments import freezes
from deployments.models import Dependency, Environment, Freeze, FreezeOverride
from portal.core import clock
from tests.deployments import build as builder
from tests.factories import World


def typed() -> dict[str, str]:
    """What an owner fills in for a freeze: tomorrow, for a day."""
    begins = clock.now() + timedelta(days=1)
    when = {"begins": f"{begins:%Y-%m-%dT%H:%M}", "ends": f"{begins + timedelta(days=1):%Y-%m-%dT%H:%M}"}
    return {"time_zone": "UTC", "environment": "", "reason": "Walked."} | when


def made(world: World, environment: Environment, deployment: Any) -> Freeze:
    """A freeze in force, over which a deployment was let through once; and a service that needs another."""
    ends = (clock.now() + timedelta(days=1)).replace(tzinfo=None, second=0, microsecond=0)
    freeze = freezes.plan(
        world.mc, environment=environment, begins=None, ends=ends, time_zone="UTC", weekly=False, reason="Walked."
    )
    FreezeOverride.objects.create(
        freeze=freeze, deployment=deployment, by=world.owner, by_label="Owner", target_digest="0", reason="Walked."
    )
    needed = builder.service(world.mc, "database")
    Dependency.objects.create(service=deployment.service, needs=needed)
    return freeze
