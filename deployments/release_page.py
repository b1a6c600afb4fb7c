"""What the page of a release shows: what came with it, where it stood and stands, what it would take to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q

from deployments import allowed_now, changes, freezes, releases, windows
from deployments.allowed_now import Now
from deployments.changes import Work
from deployments.models import (
    ACTIVE_STATES,
    OPEN_STATES,
    Deployment,
    Environment,
    Hold,
    HoldState,
    Placement,
    Release,
)
from deployments.placements import CHANGED
from portal.core.clock import Wall
from portal.core.models import Activity

PLACES_SHOWN: Final = 12
STAYS_SHOWN: Final = 50
# of what was put anywhere of its service, the newest
PUTS_READ: Final = 1000


class Since(NamedTuple):
    """What it brings over the release that was made before it; over nothing for the first of its service."""

    before: Release | None
    work: Work


def since_before(release: Release) -> Since:
    rows = Release.objects.filter(service=release.service_id, number__lt=release.number).select_related("service")
    before = rows.order_by("-number").first()
    return Since(before, changes.brought(release, before))


class Pipeline(NamedTuple):
    """``current``: the service's is the same today."""

    digest: str
    current: bool


def pipeline_of(release: Release) -> Pipeline:
    return Pipeline(digest_of(release.pipeline), releases.pipeline_of(release.service) == release.pipeline)


def digest_of(content: Any) -> str:
    """How a pipeline, or a configuration, is told from another."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Where it stood -------------------------------------------------------------------------


class Stay(NamedTuple):
    """It stood there from ``since`` on; ``until`` None: it stands there now."""

    environment: str
    deployment: int
    verified: bool
    since: datetime
    until: datetime | None


class Stays(NamedTuple):
    """The newest first. ``cut``: there may be earlier ones."""

    rows: list[Stay]
    cut: bool


def stays_of(release: Release) -> Stays:
    """Read from the history of what was put where."""
    rows = Activity.objects.filter(subject=release.service.subject, verb=CHANGED).order_by("-pk")
    puts = list(rows.values_list("after", "at")[: PUTS_READ + 1])
    names = dict(Environment.objects.filter(project=release.service.project_id).values_list("pk", "name"))
    found: list[Stay] = []
    ended: dict[int, datetime] = {}
    for said, at in puts[:PUTS_READ]:
        place = said["environment"]
        if said["release"] == release.pk and place in names:
            found.append(Stay(names[place], said["deployment"], said["verified"], at, ended.get(place)))
        ended[place] = at
    return Stays(found[:STAYS_SHOWN], len(puts) > PUTS_READ or len(found) > STAYS_SHOWN)


# Where it may go -------------------------------------------------------------------------


@dataclass(slots=True)
class Door:
    """One environment: what of the service stands there, and what its gate would say of this release today.

    ``holds`` is in the way now; ``asks`` is what the gate asks for besides.
    """

    environment: Environment
    now: Now
    placement: Placement | None = None
    coming: Deployment | None = None
    stands: bool = False
    holds: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.now.go and not self.holds


class Doors(NamedTuple):
    rows: list[Door]
    more: int


def doors_of(release: Release) -> Doors:
    """Each environment of its project, in their order; a constant number of queries."""
    project = release.service.project
    rows = Environment.objects.filter(project=project).select_related("follows").order_by("place", "name")
    environments = list(rows)
    shown = environments[:PLACES_SHOWN]
    now = allowed_now.of((release, environment) for environment in shown)
    found = {one.pk: Door(one, now[release.pk, one.pk], asks=_asks(one)) for one in shown}
    for placement in _placed(release, shown):
        door = found[placement.environment_id]
        door.placement, door.stands = placement, placement.release_id == release.pk
    for deployment in _coming(release, shown):
        door = found[deployment.environment_id]
        door.coming = door.coming or deployment
    _hold(release, found.values())
    _freeze(release, found.values())
    return Doors(list(found.values()), len(environments) - len(shown))


def _asks(environment: Environment) -> list[str]:
    needed, minutes, before = environment.approvals_needed, environment.soak_minutes, environment.follows
    asks = [f"{needed} approval{'s' * (needed != 1)}"] if needed else []
    if before is not None:
        asks.append(f"its commit verified in {before}{f' for {minutes:,} min' if minutes else ''}")
    return asks


def _placed(release: Release, shown: list[Environment]) -> Iterable[Placement]:
    rows = Placement.objects.filter(service=release.service_id, environment__in=shown)
    return rows.select_related("release__service", "deployment")


def _coming(release: Release, shown: list[Environment]) -> Iterable[Deployment]:
    """Of this release, on its way or waiting; the newest first."""
    rows = Deployment.objects.filter(release=release, environment__in=shown)
    return rows.filter(state__in=[*OPEN_STATES, *ACTIVE_STATES]).order_by("-pk")


def _hold(release: Release, doors: Iterable[Door]) -> None:
    of_any = Q(release=release) | Q(environment__project=release.service.project_id)
    for hold in Hold.objects.filter(of_any, state=HoldState.HOLDING).order_by("pk"):
        for door in doors:
            if hold.environment_id in {None, door.environment.pk}:
                held = "The release" if hold.release_id else str(door.environment)
                door.holds.append(f"{held} is held: {hold.reason}")


def _freeze(release: Release, doors: Iterable[Door]) -> None:
    rows = freezes.to_come().filter(project=release.service.project_id, begins_at__lte=Wall())
    for freeze, window in freezes.now_in_force(rows.select_related("project", "environment").order_by("pk")):
        for door in doors:
            if freeze.environment_id in {None, door.environment.pk}:
                until = windows.shown(window.ends, freeze.time_zone)
                door.holds.append(f"{door.environment} is frozen until {until}: {freeze.reason}")
