"""Releases and what stands in their way: read, held, lifted."""

from __future__ import annotations

from typing import Any, Final, cast

from django.http import HttpRequest
from ninja import Schema

from deployments import holds, release_page
from deployments.models import Environment, Hold, HoldState, Placement, Release
from portal.api.doors import operation
from portal.api.operations.changes import CostOut, WorkOut, cost_shown, work_shown
from portal.api.operations.deployments import Why, WhyIn
from portal.api.shapes import Strict, moment
from portal.core.access import Role, within
from portal.core.doors import Found
from tickets.models import Merge

SHOWN: Final = 100


class PlannedOut(Schema):
    """A step of a pipeline, as its owners wrote it."""

    kind: str
    name: str
    command: list[str]
    undo: list[str]
    probe: list[str]
    url: str
    instructions: str
    wall_seconds: int
    again: bool
    # of backup; of migrate; of http (no statuses: 200); of wait; of health
    verify: list[str] = []
    structure: list[str] = []
    method: str = ""
    statuses: list[int] = []
    contains: str = ""
    pause_seconds: int = 0
    soak_seconds: int = 0
    # goes after the first, by itself
    retries: int = 0


class HoldOut(Schema):
    number: int
    # what lifting it must say
    version: int
    state: str
    reason: str
    by: str
    at: str
    lifted_by: str
    lift_reason: str
    lifted_at: str | None


class HoldIn(Strict):
    reason: Why


class StayOut(Schema):
    environment: str
    deployment: int
    verified: bool
    since: str
    # null: until now
    until: str | None


class DoorOut(Schema):
    environment: str
    stands: bool
    # ship, ship_after or do_not_ship; empty where there was too much to look at
    answer: str
    findings: int
    stale: bool | None
    # what is in the way now: holds and freezes
    holds: list[str]
    # what its gate asks for besides
    asks: list[str]


class ReleaseOut(Schema):
    number: int
    project: str
    service: str
    # such as web-3
    name: str
    digest: str
    commit: str
    title: str
    made_at: str
    # as the release keeps it, whatever the service's is now
    steps: list[PlannedOut]
    # tickets whose accepted work it holds; at most 100
    tickets: list[str]
    # by number; at most 100
    open_findings: list[int]
    # of its steps; and whether the service's are the same today
    pipeline_digest: str
    pipeline_current: bool
    # the release that was made before it; what it brings over that one, and what that cost
    before: str
    brings: WorkOut
    cost: CostOut
    # where it stands now
    stands_in: list[str]
    # where it stood and stands, the newest first
    stays: list[StayOut]
    # each environment, with what its gate would answer today; at most 12
    doors: list[DoorOut]
    hold: HoldOut | None


def find_release(number: int) -> Found | None:
    rows = Release.objects.select_related("service__project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.service.project.scope) if found else None


def find_hold(number: int) -> Found | None:
    rows = Hold.objects.select_related("release__service__project", "environment__project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        return None
    project = found.release.service.project if found.release else cast(Environment, found.environment).project
    return Found(found, project.scope)


def hold_shown(row: Hold) -> dict[str, Any]:
    said = {name: getattr(row, name) for name in ("version", "state", "reason", "by", "lifted_by", "lift_reason")}
    return said | {"number": row.pk, "at": moment(row.at), "lifted_at": moment(row.lifted_at)}


def held(**of: Any) -> dict[str, Any] | None:
    found = Hold.objects.filter(state=HoldState.HOLDING, **of).first()
    return hold_shown(found) if found else None


@operation("get", "/releases/{int:number}", "api.release", within(Role.VIEWER), find=find_release, response=ReleaseOut)
def release(request: HttpRequest, number: int) -> dict[str, Any]:
    """An immutable bundle: what is in it, and where it stands."""
    row: Release = request.found  # type: ignore[attr-defined]
    merges = Merge.objects.filter(pk__in=row.merges).order_by("-pk").values_list("ticket__key", flat=True)[:SHOWN]
    stands = Placement.objects.filter(release=row).order_by("environment__place", "environment__name")
    return {
        "number": row.pk,
        "project": row.service.project.key,
        "service": row.service.name,
        "name": str(row),
        **{name: getattr(row, name) for name in ("digest", "commit", "title")},
        "made_at": moment(row.made_at),
        "steps": row.pipeline,
        "tickets": list(dict.fromkeys(merges)),
        "open_findings": row.open_findings[:SHOWN],
        **_came(row),
        "stays": [_stay(one) for one in release_page.stays_of(row).rows],
        "doors": [_door(one) for one in release_page.doors_of(row).rows],
        "stands_in": list(stands.values_list("environment__name", flat=True)[:SHOWN]),
        "hold": held(release=row),
    }


def _came(row: Release) -> dict[str, Any]:
    pipeline, since = release_page.pipeline_of(row), release_page.since_before(row)
    return {
        "pipeline_digest": pipeline.digest,
        "pipeline_current": pipeline.current,
        "before": str(since.before or ""),
        "brings": work_shown(since.work),
        "cost": cost_shown(since.work.cost),
    }


def _stay(one: release_page.Stay) -> dict[str, Any]:
    return one._asdict() | {"since": moment(one.since), "until": moment(one.until)}


def _door(one: release_page.Door) -> dict[str, Any]:
    now = {name: getattr(one.now, name) for name in ("answer", "findings", "stale")}
    own = {name: getattr(one, name) for name in ("stands", "holds", "asks")}
    return {"environment": one.environment.name, **now, **own}


@operation(
    "post",
    "/releases/{int:number}/hold",
    "api.release.hold",
    within(Role.RELEASER),
    find=find_release,
    response=HoldOut,
)
def hold_release(request: HttpRequest, number: int, body: HoldIn) -> dict[str, Any]:
    """Let it go nowhere until somebody lifts it; one that is held already stays as it is held."""
    return hold_shown(holds.hold_release(request.found, reason=body.reason))  # type: ignore[attr-defined]


@operation("post", "/holds/{int:number}/lift", "api.hold.lift", within(Role.RELEASER), find=find_hold, response=HoldOut)
def lift(request: HttpRequest, number: int, body: WhyIn) -> dict[str, Any]:
    """Let it go again, with the reason in words."""
    row: Hold = request.found  # type: ignore[attr-defined]
    return hold_shown(holds.lift(row, expected_version=body.version, reason=body.reason))
