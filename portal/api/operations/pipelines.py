"""Services of a project, each with its pipeline: read, made and changed as a whole."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from django.db import IntegrityError
from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from deployments import intake, places, rehearsals
from deployments.intake import BadCommand, BadStep, StepSpec
from deployments.models import Service
from portal.api.doors import Unfit, operation
from portal.api.operations.places import Listing, Name, Number
from portal.api.operations.releases import PlannedOut
from portal.api.shapes import Flag, Strict, Versioned, page, project_by_key
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.lifecycle import Refused
from tickets.models import Project
from tickets.queries import seen_by

COMMANDS: Final = ("command", "undo", "probe", "verify", "structure")
Arguments = list[str]
Seconds = Annotated[StrictInt, Field(ge=0, le=86_400)]


class StepIn(Strict):
    kind: Literal["command", "migrate", "restart", "health", "manual", "http", "wait", "backup", "rehearse"]
    name: str = Field(max_length=60)
    # of command, migrate, restart, backup and rehearse; the last two have no undo
    command: Arguments = []
    undo: Arguments = []
    probe: Arguments = []
    # of health and http
    url: str = Field("", max_length=300)
    # of manual
    instructions: str = Field("", max_length=2000)
    # 0: the installation's own limit
    wall_seconds: Seconds = 0
    again: Flag = True
    # of backup: rehearses the restore
    verify: Arguments = []
    # of migrate: prints the structure of the database, before and after
    structure: Arguments = []
    # of http: GET or HEAD, the statuses that are right (none: 200), the text that is in the body
    method: Literal["", "GET", "HEAD"] = ""
    statuses: list[Number] = Field([], max_length=intake.MOST_STATUSES)
    contains: str = Field("", max_length=intake.CONTAINS_CHARS)
    # of wait
    pause_seconds: Number = 0
    # of health: how long the answers must be right without a break
    soak_seconds: Number = 0
    # goes after the first, by itself; of migrate only with a probe
    retries: Number = 0


class ServiceOut(Schema):
    number: int
    project: str
    name: str
    version: int


class ServiceWhole(ServiceOut):
    # in their order
    steps: list[PlannedOut]
    # what its migrations are without: an environment may refuse them
    warnings: list[str]


class Services(Schema):
    items: list[ServiceOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class ServiceIn(Strict):
    name: Name
    steps: list[StepIn]


class PipelineIn(Versioned):
    steps: list[StepIn]


def find_service(number: int) -> Found | None:
    rows = Service.objects.select_related("project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.project.scope) if found else None


def service_shown(row: Service) -> dict[str, Any]:
    return {"number": row.pk, "project": row.project.key, "name": row.name, "version": row.version}


def service_whole(row: Service) -> dict[str, Any]:
    steps = list(row.pipeline.order_by("n").values(*PlannedOut.model_fields))
    return service_shown(row) | {"steps": steps, "warnings": rehearsals.warnings(steps)}


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
