"""Freezes, their overrides, and what services need beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from deployments import dependencies, freezes, overriding, windows
from deployments.models import Deployment, Environment, Freeze, FreezeState, Service
from portal.api.doors import Unfit, operation
from portal.api.operations.deployments import DeploymentOut, Why, WhyIn, find_deployment, shown
from portal.api.operations.pipelines import find_service
from portal.api.shapes import ID, Flag, Paged, Strict, Versioned, moment, page, project_by_key
from portal.core import clock
from portal.core.access import Role, within
from portal.core.doors import Found
from portal.core.models import User
from tickets.models import Project

Least = Annotated[StrictInt, Field(ge=0, le=dependencies.HIGHEST)]


class FreezeOut(Schema):
    number: int
    # what lifting it must say
    version: int
    state: str
    # empty: all of the project's
    environment: str
    # of the first time, where it comes again
    begins_at: str
    ends_at: str
    time_zone: str
    weekly: bool
    # whether it keeps deployments now
    in_force: bool
    reason: str
    by: str
    at: str
    lifted_by: str
    lift_reason: str
    lifted_at: str | None


class Freezes(Schema):
    items: list[FreezeOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class FreezeIn(Strict):
    # empty: all of the project's
    environment: str = Field("", max_length=60)
    # by the clocks of the time zone, such as 2026-12-24T18:00; an empty begin is now
    begins: str = Field("", max_length=40)
    ends: str = Field(max_length=40)
    time_zone: str = Field("UTC", max_length=60)
    weekly: Flag = False
    reason: Why


class OverrideIn(Strict):
    freeze: ID
    plan_digest: str = Field(max_length=64)
    reason: Why


class NeedOut(Schema):
    service: str
    # the lowest release that will do; 0: any
    least: int


class Needs(Schema):
    # of the service
    version: int
    needs: list[NeedOut]


class NeedIn(Strict):
    service: str = Field(max_length=60)
    least: Least = 0


class NeedsIn(Versioned):
    needs: list[NeedIn] = Field(max_length=dependencies.MOST)


# Freezes --------------------------------------------------------------------------


def find_freeze(number: int) -> Found | None:
    rows = Freeze.objects.select_related("project", "environment")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.project.scope) if found else None


def freeze_shown(row: Freeze, now: datetime | None = None) -> dict[str, Any]:
    names = ("version", "state", "time_zone", "weekly", "reason", "by", "lifted_by", "lift_reason")
    times = {name: moment(getattr(row, name)) for name in ("begins_at", "ends_at", "at", "lifted_at")}
    return {
        "number": row.pk,
        "environment": row.environment.name if row.environment else "",
        "in_force": row.state == FreezeState.PLANNED and bool(freezes.at(now or clock.now(), [row])),
        **{name: getattr(row, name) for name in names},
        **times,
    }


def _time(field: str, typed: str) -> datetime | None:
    try:
        return windows.read(typed) if typed else None
    except windows.NoSuchTime as problem:
        raise Unfit(field, str(problem)) from None


@operation(
    "get",
    "/projects/{key}/freezes",
    "api.freezes",
    within(Role.VIEWER),
    find=project_by_key,
    query=Paged,
    response=Freezes,
)
def of_project(request: HttpRequest, key: str, listing: Query[Paged]) -> dict[str, Any]:
    """The freezes of a project, newest first, with whether each is in force."""
    project: Project = request.found  # type: ignore[attr-defined]
    now, rows = clock.now(), Freeze.objects.filter(project=project).select_related("environment")
    return page(rows, listing, lambda row: freeze_shown(row, now))


@operation(
    "post",
    "/projects/{key}/freezes",
    "api.freeze.plan",
    within(Role.OWNER),
    find=project_by_key,
    response=FreezeOut,
)
def plan(request: HttpRequest, key: str, body: FreezeIn) -> dict[str, Any]:
    """Let nothing start on its way there for a while, once or each week."""
    project: Project = request.found  # type: ignore[attr-defined]
    environment = None
    if body.environment:
        environment = Environment.objects.filter(project=project, name=body.environment).first()
        if environment is None:
            raise Unfit("environment", f"{key} has no environment {body.environment}.", 422)
    ends = _time("ends", body.ends)
    if ends is None:
        raise Unfit("ends", "ends is needed.")
    try:
        made = freezes.plan(
            project,
            environment=environment,
            begins=_time("begins", body.begins),
            ends=ends,
            time_zone=body.time_zone,
            weekly=body.weekly,
            reason=body.reason,
        )
    except freezes.BadTimes as problem:
        raise Unfit(problem.field, str(problem), problem.status) from None
    return freeze_shown(made)


@operation(
    "post",
    "/freezes/{int:number}/lift",
    "api.freeze.lift",
    within(Role.OWNER),
    find=find_freeze,
    response=FreezeOut,
)
def lift(request: HttpRequest, number: int, body: WhyIn) -> dict[str, Any]:
    """End it for all, with the reason in words."""
    row: Freeze = request.found  # type: ignore[attr-defined]
    return freeze_shown(freezes.lift(row, expected_version=body.version, reason=body.reason))


@operation(
    "post",
    "/deployments/{int:number}/override",
    "api.deployment.override",
    within(Role.OWNER),
    find=find_deployment,
    response=DeploymentOut,
)
def override(request: HttpRequest, number: int, body: OverrideIn) -> dict[str, Any]:
    """Let the plan of that digest start in spite of a freeze; never by who asked for the deployment."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    by = cast(User, request.user)
    overriding.override(row, body.freeze, by=by, plan_digest=body.plan_digest, reason=body.reason)
    return shown(row)


# What services need -----------------------------------------------------------------


def needs_shown(row: Service) -> dict[str, Any]:
    needs = [{"service": name, "least": least} for name, least in dependencies.of(row).items()]
    return {"version": row.version, "needs": needs}


@operation(
    "get", "/services/{int:number}/needs", "api.service.needs", within(Role.VIEWER), find=find_service, response=Needs
)
def needs(request: HttpRequest, number: int) -> dict[str, Any]:
    """The services of its project that have to stand where it goes."""
    return needs_shown(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/services/{int:number}/needs",
    "api.service.set_needs",
    within(Role.OWNER),
    find=find_service,
    response=Needs,
)
def set_needs(request: HttpRequest, number: int, body: NeedsIn) -> dict[str, Any]:
    """Others in place of all that there are; an old ``version`` is refused, and nothing is written."""
    row: Service = request.found  # type: ignore[attr-defined]
    wanted = {need.service: need.least for need in body.needs}
    if len(wanted) < len(body.needs):
        raise Unfit("needs", "A service is named twice.")
    try:
        return needs_shown(dependencies.change(row, expected_version=body.version, needs=wanted))
    except dependencies.BadNeed as problem:
        raise Unfit("needs", str(problem), problem.status) from None
