"""Environments and policies of a project, and what stands where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.db import IntegrityError
from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from deployments import holds, intake, places, soaking, verdicts
from deployments.intake import BadVariable
from deployments.models import Environment, Hold, HoldState
from portal.api.doors import Unfit, operation
from portal.api.operations.releases import HoldIn, HoldOut, hold_shown
from portal.api.operations.stands import StandsOut, stands_in
from portal.api.shapes import Flag, Paged, Strict, Versioned, page, project_by_key
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.lifecycle import Refused
from tickets.models import Project
from tickets.queries import seen_by

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Order = Annotated[StrictInt, Field(ge=0, le=32_767)]
People = Annotated[StrictInt, Field(ge=0, le=20)]
Waiting = Annotated[StrictInt, Field(ge=1, le=2160)]
Expiry = Annotated[StrictInt, Field(ge=0, le=2160)]
Minutes = Annotated[StrictInt, Field(ge=0, le=40_320)]
Validity = Annotated[StrictInt, Field(ge=1, le=720)]
Number = Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]


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
    # after them an approval counts no more; 0: it always does
    approval_hours: int
    # the environment in which a commit has to stand first, and for how long; empty: none
    follows: str
    soak_minutes: int
    on_failure: str
    wait_hours: int
    variables: dict[str, str]
    migrations_rehearsed: bool


class Settings(Strict):
    """What is not sent stays as it is."""

    place: Order = 0
    approvals_needed: People = 0
    approval_hours: Expiry = 0
    follows: str = Field("", max_length=60)
    soak_minutes: Minutes = 0
    on_failure: Literal["ask", "roll_back"] = "ask"
    wait_hours: Waiting = 72
    variables: dict[str, str] = {}
    # a migration takes a backup, a rehearsal and a way back, or a waiver
    migrations_rehearsed: Flag = False


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
    # whether a council must have said ship of the very commit
    council: bool
    valid_hours: int


class PolicyIn(Strict):
    # of the policy that was read
    number: Number
    severities: list[str] = Field(max_length=len(intake.SEVERITIES))
    ages: dict[str, StrictInt] = Field({}, max_length=len(intake.SEVERITIES))
    categories: list[str] = Field([], max_length=intake.MOST_CATEGORIES)
    checks: Flag = False
    waived_holds: Flag = False
    council: Flag = False
    valid_hours: Validity = verdicts.VALID_HOURS


class Listing(Paged):
    project: str = Field("", max_length=10)


# Found ------------------------------------------------------------------------


def find_environment(number: int) -> Found | None:
    rows = Environment.objects.select_related("project")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.project.scope) if found else None


# Environments ---------------------------------------------------------------------


def environment_whole(row: Environment) -> dict[str, Any]:
    own = ("name", "version", "place", "approvals_needed", "approval_hours", "soak_minutes", "on_failure", "wait_hours")
    said = {name: getattr(row, name) for name in (*own, "variables", "migrations_rehearsed")}
    return {"number": row.pk, "project": row.project.key, "follows": row.follows.name if row.follows else "", **said}


def fit_settings(project: Project, asked: Mapping[str, Any], environment: Environment | None = None) -> dict[str, Any]:
    """What was sent, by the rules of the page. Raises ``Unfit``."""
    settings = dict(asked)
    if "follows" in settings:
        settings["follows"] = _followed(project, settings["follows"], environment)
    if "variables" in settings:
        given = settings["variables"]
        try:
            settings["variables"] = intake.variables(intake.written(given))
        except BadVariable as problem:
            raise Unfit("variables", str(problem)) from None
        if settings["variables"] != given:
            raise Unfit("variables", "A value has one line, and no blank at its ends.")
    return settings


def _followed(project: Project, name: str, environment: Environment | None) -> Environment | None:
    if not name:
        return None
    found = Environment.objects.filter(project=project, name=name).first()
    if found is None:
        raise Unfit("follows", f"{project.key} has no environment {name}.", 422)
    if problem := soaking.problem_of(environment, project, found):
        raise Unfit("follows", problem, 422)
    return found


@operation("get", "/environments", "api.environments", SIGNED_IN, query=Listing, response=Environments)
def environments(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """What stands where, as far as the token's user sees it."""
    rows = seen_by(request.user, Environment.objects.select_related("project", "follows"))
    found = page(rows.filter(project__key=listing.project) if listing.project else rows, listing, lambda row: row)
    numbers = [row.pk for row in found["items"]]
    holding = Hold.objects.filter(environment__in=numbers, state=HoldState.HOLDING)
    holds_of = {row.environment_id: hold_shown(row) for row in holding}
    stands, more = stands_in(numbers)
    items = [
        environment_whole(row) | {"hold": holds_of.get(row.pk), "stands": stands.get(row.pk, [])}
        for row in found["items"]
    ]
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
    settings = fit_settings(project, body.model_dump(exclude={"name"}))
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
    settings = fit_settings(row.project, body.model_dump(exclude_unset=True, exclude={"version"}), row)
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
        council=body.council,
        valid_hours=body.valid_hours,
        expected_number=body.number,
    )
    return _policy(verdicts.in_force(made))


def _policy(found: verdicts.InForce) -> dict[str, Any]:
    return {name: getattr(found, name) for name in PolicyOut.model_fields}
