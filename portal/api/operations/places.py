"""Services, environments and policies of a project, and what stands where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from django.db import IntegrityError
from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from deployments import holds, intake, places, verdicts
from deployments.intake import BadCommand, BadStep, BadVariable, StepSpec
from deployments.models import Environment, Hold, HoldState, Placement, Service
from portal.api.doors import Unfit, operation
from portal.api.operations.releases import HoldIn, HoldOut, PlannedOut, hold_shown
from portal.api.shapes import Flag, Paged, Strict, Versioned, moment, page, project_by_key
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.lifecycle import Refused
from tickets.models import Project
from tickets.queries import seen_by

STANDING_SHOWN: Final = 1000
COMMANDS: Final = ("command", "undo", "probe")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Arguments = list[str]
Seconds = Annotated[StrictInt, Field(ge=0, le=86_400)]
Order = Annotated[StrictInt, Field(ge=0, le=32_767)]
People = Annotated[StrictInt, Field(ge=0, le=20)]
Waiting = Annotated[StrictInt, Field(ge=1, le=2160)]
Validity = Annotated[StrictInt, Field(ge=1, le=720)]
Number = Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]


class StepIn(Strict):
    kind: Literal["command", "migrate", "restart", "health", "manual"]
    name: str = Field(max_length=60)
    # of command, migrate and restart
    command: Arguments = []
    undo: Arguments = []
    probe: Arguments = []
    # of health
    url: str = Field("", max_length=300)
    # of manual
    instructions: str = Field("", max_length=2000)
    # 0: the installation's own limit
    wall_seconds: Seconds = 0
    again: Flag = True


class ServiceOut(Schema):
    number: int
    project: str
    name: str
    version: int


class ServiceWhole(ServiceOut):
    # in their order
    steps: list[PlannedOut]


class Services(Schema):
    items: list[ServiceOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class ServiceIn(Strict):
    name: Name
    steps: list[StepIn]


class PipelineIn(Versioned):
    steps: list[StepIn]


class StandsOut(Schema):
    service: str
    # empty: nothing, or nobody knows since a deployment failed
    release: str
    release_number: int | None
    commit: str
    deployment: int
    since: str
    # when the service itself reported that commit
    verified_at: str | None


class EnvironmentOut(Schema):
    number: int
    project: str
    name: str
    version: int
    place: int
    hold: HoldOut | None
    # of each service that was ever deployed there
    stands: list[StandsOut]


class Environments(Schema):
    items: list[EnvironmentOut]
    # services that stand somewhere of these and are not in this answer
    more: int
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class EnvironmentWhole(Schema):
    number: int
    project: str
    name: str
    version: int
    place: int
    approvals_needed: int
    on_failure: str
    wait_hours: int
    variables: dict[str, str]


class Settings(Strict):
    """What is not sent stays as it is."""

    place: Order = 0
    approvals_needed: People = 0
    on_failure: Literal["ask", "roll_back"] = "ask"
    wait_hours: Waiting = 72
    variables: dict[str, str] = {}


class EnvironmentIn(Settings):
    name: Name


class SettingsIn(Settings, Versioned):
    """Under the version that was read."""


class PolicyOut(Schema):
    # 0: the installation's own
    number: int
    severities: list[str]
    # days by severity: an older open finding holds, too
    ages: dict[str, int]
    # words in the category of an open finding that hold
    categories: list[str]
    # whether the project's checks must have passed; whether a waived finding holds as an open one
    checks: bool
    waived_holds: bool
    valid_hours: int


class PolicyIn(Strict):
    # of the policy that was read
    number: Number
    severities: list[str] = Field(max_length=len(intake.SEVERITIES))
    ages: dict[str, StrictInt] = Field({}, max_length=len(intake.SEVERITIES))
    categories: list[str] = Field([], max_length=intake.MOST_CATEGORIES)
    checks: Flag = False
    waived_holds: Flag = False
    valid_hours: Validity = verdicts.VALID_HOURS


class Listing(Paged):
    project: str = Field("", max_length=10)


# Found ------------------------------------------------------------------------


def find_service(number: int) -> Found | None:
    rows = Service.objects.select_related("project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.project.scope) if found else None


def find_environment(number: int) -> Found | None:
    rows = Environment.objects.select_related("project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.project.scope) if found else None


# Services -----------------------------------------------------------------------


def service_shown(row: Service) -> dict[str, Any]:
    return {"number": row.pk, "project": row.project.key, "name": row.name, "version": row.version}


def service_whole(row: Service) -> dict[str, Any]:
    steps = row.pipeline.order_by("n").values(*PlannedOut.model_fields)
    return service_shown(row) | {"steps": list(steps)}


def fit_steps(asked: list[StepIn]) -> list[StepSpec]:
    """What was sent, by the rules of the page. Raises ``Unfit``."""
    try:
        return intake.pipeline([_fit(f"steps.{place}", step) for place, step in enumerate(asked)])
    except BadStep as problem:
        raise Unfit("steps", str(problem)) from None


def _fit(place: str, step: StepIn) -> StepSpec:
    values = step.model_dump() | {"name": " ".join(step.name.split())}
    for name in COMMANDS:
        try:
            # as a JSON list, which says every argument as it is
            values[name] = intake.command(json.dumps(values[name])) if values[name] else []
        except BadCommand as problem:
            raise Unfit(f"{place}.{name}", str(problem)) from None
    try:
        return StepSpec(**values)
    except BadStep as problem:
        raise Unfit(f"{place}.{problem.field}", str(problem)) from None


@operation("get", "/services", "api.services", SIGNED_IN, query=Listing, response=Services)
def services(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The services that the token's user sees, newest first."""
    rows = seen_by(request.user, Service.objects.select_related("project"))
    return page(rows.filter(project__key=listing.project) if listing.project else rows, listing, service_shown)


@operation(
    "post",
    "/projects/{key}/services",
    "api.service.add",
    within(Role.OWNER),
    find=project_by_key,
    response=ServiceWhole,
)
def add_service(request: HttpRequest, key: str, body: ServiceIn) -> dict[str, Any]:
    """Another service, with its pipeline."""
    project: Project = request.found  # type: ignore[attr-defined]
    try:
        return service_whole(places.add_service(project, name=body.name, steps=fit_steps(body.steps)))
    except IntegrityError:
        raise Refused(f"{key} has a service {body.name} already.") from None


@operation(
    "get",
    "/services/{int:number}/pipeline",
    "api.service",
    within(Role.VIEWER),
    find=find_service,
    response=ServiceWhole,
)
def service(request: HttpRequest, number: int) -> dict[str, Any]:
    return service_whole(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/services/{int:number}/pipeline",
    "api.service.change",
    within(Role.OWNER),
    find=find_service,
    response=ServiceWhole,
)
def change_service(request: HttpRequest, number: int, body: PipelineIn) -> dict[str, Any]:
    """Other steps in place of all that there are; releases that were made keep theirs."""
    row: Service = request.found  # type: ignore[attr-defined]
    return service_whole(places.change_pipeline(row, expected_version=body.version, steps=fit_steps(body.steps)))


# Environments ---------------------------------------------------------------------


def stands_shown(row: Placement) -> dict[str, Any]:
    return {
        "service": row.service.name,
        "release": str(row.release or ""),
        "release_number": row.release_id,
        "commit": row.release.commit if row.release else "",
        "deployment": row.deployment_id,
        "since": moment(row.since),
        "verified_at": moment(row.verified_at),
    }


def environment_whole(row: Environment) -> dict[str, Any]:
    own = ("name", "version", "place", "approvals_needed", "on_failure", "wait_hours", "variables")
    return {"number": row.pk, "project": row.project.key, **{name: getattr(row, name) for name in own}}


def fit_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, by the rules of the page. Raises ``Unfit``."""
    settings = dict(asked)
    if "variables" in settings:
        given = settings["variables"]
        try:
            settings["variables"] = intake.variables(intake.written(given))
        except BadVariable as problem:
            raise Unfit("variables", str(problem)) from None
        if settings["variables"] != given:
            raise Unfit("variables", "A value has one line, and no blank at its ends.")
    return settings


@operation("get", "/environments", "api.environments", SIGNED_IN, query=Listing, response=Environments)
def environments(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """What stands where, as far as the token's user sees it."""
    rows = seen_by(request.user, Environment.objects.select_related("project"))
    found = page(rows.filter(project__key=listing.project) if listing.project else rows, listing, lambda row: row)
    numbers = [row.pk for row in found["items"]]
    holding = Hold.objects.filter(environment__in=numbers, state=HoldState.HOLDING)
    holds_of = {row.environment_id: hold_shown(row) for row in holding}
    placed = Placement.objects.filter(environment__in=numbers).select_related("service", "release__service")
    first = list(placed.order_by("service__name", "pk")[: STANDING_SHOWN + 1])
    stands: dict[int, list[dict[str, Any]]] = {}
    for row in first[:STANDING_SHOWN]:
        stands.setdefault(row.environment_id, []).append(stands_shown(row))
    items = [
        environment_whole(row) | {"hold": holds_of.get(row.pk), "stands": stands.get(row.pk, [])}
        for row in found["items"]
    ]
    more = placed.count() - STANDING_SHOWN if len(first) > STANDING_SHOWN else 0
    return found | {"items": items, "more": more}


@operation(
    "post",
    "/projects/{key}/environments",
    "api.environment.add",
    within(Role.OWNER),
    find=project_by_key,
    response=EnvironmentWhole,
)
def add_environment(request: HttpRequest, key: str, body: EnvironmentIn) -> dict[str, Any]:
    """Another place to deploy to."""
    project: Project = request.found  # type: ignore[attr-defined]
    settings = fit_settings(body.model_dump(exclude={"name"}))
    try:
        return environment_whole(places.add_environment(project, name=body.name, **settings))
    except IntegrityError:
        raise Refused(f"{key} has an environment {body.name} already.") from None


@operation(
    "get",
    "/environments/{int:number}/settings",
    "api.environment",
    within(Role.VIEWER),
    find=find_environment,
    response=EnvironmentWhole,
)
def environment(request: HttpRequest, number: int) -> dict[str, Any]:
    return environment_whole(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/environments/{int:number}/settings",
    "api.environment.change",
    within(Role.OWNER),
    find=find_environment,
    response=EnvironmentWhole,
)
def change_environment(request: HttpRequest, number: int, body: SettingsIn) -> dict[str, Any]:
    """Other settings; an old ``version`` is refused, and nothing is written."""
    row: Environment = request.found  # type: ignore[attr-defined]
    settings = fit_settings(body.model_dump(exclude_unset=True, exclude={"version"}))
    return environment_whole(places.change_environment(row, expected_version=body.version, **settings))


@operation(
    "post",
    "/environments/{int:number}/hold",
    "api.environment.hold",
    within(Role.RELEASER),
    find=find_environment,
    response=HoldOut,
)
def hold_environment(request: HttpRequest, number: int, body: HoldIn) -> dict[str, Any]:
    """Let nothing go there until somebody lifts it; one that is held already stays as it is held."""
    return hold_shown(holds.hold_environment(request.found, reason=body.reason))  # type: ignore[attr-defined]


# Policies -------------------------------------------------------------------------


@operation("get", "/projects/{key}/policy", "api.policy", within(Role.VIEWER), find=project_by_key, response=PolicyOut)
def policy(request: HttpRequest, key: str) -> dict[str, Any]:
    """What holds the project's deployments."""
    found = verdicts.policy_of(request.found)  # type: ignore[attr-defined]
    return _policy(found)


@operation(
    "post", "/projects/{key}/policy", "api.policy.set", within(Role.OWNER), find=project_by_key, response=PolicyOut
)
def set_policy(request: HttpRequest, key: str, body: PolicyIn) -> dict[str, Any]:
    """Another policy from now on; verdicts that were made by the one before are made again."""
    if set(body.severities) - set(intake.SEVERITIES):
        raise Unfit("severities", f"Severities are: {', '.join(intake.SEVERITIES)}.")
    for name, check in (("ages", intake.checked_ages), ("categories", intake.categories)):
        try:
            check(getattr(body, name))
        except intake.BadPolicy as problem:
            raise Unfit(name, str(problem)) from None
    made = places.set_policy(
        request.found,  # type: ignore[attr-defined]
        severities=list(dict.fromkeys(body.severities)),
        ages=body.ages,
        categories=intake.categories(body.categories),
        checks=body.checks,
        waived_holds=body.waived_holds,
        valid_hours=body.valid_hours,
        expected_number=body.number,
    )
    return _policy(verdicts.in_force(made))


def _policy(found: verdicts.InForce) -> dict[str, Any]:
    return {name: getattr(found, name) for name in PolicyOut.model_fields}
