"""Deployments: asked for, listed, and read with their gate, their steps and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Schema

from deployments import changes, gates, history, interruptions, lifting, queries, requesting, steering
from deployments.conditions import Condition
from deployments.forms import REASON_CHARS, DeploymentFilter
from deployments.models import (
    Approval,
    ApprovalState,
    Deployment,
    DeploymentState,
    Environment,
    Interruption,
    Service,
    Step,
    Verdict,
)
from portal.api.doors import Unfit, operation, speak_for
from portal.api.operations.changes import ChangesOut, changes_shown
from portal.api.shapes import Paged, Seen, Strict, Versioned, moment, page, project_by_key
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.models import User
from tickets import policy
from tickets.models import Project

SHOWN: Final = 100
Why = Annotated[Seen, Field(max_length=REASON_CHARS)]


class DeploymentBrief(Schema):
    number: int
    project: str
    service: str
    environment: str
    # a commit, branch or tag; empty: the target branch
    asked: str
    commit: str
    # its name and its number, once it is prepared
    release: str
    release_number: int | None
    state: str
    # what cancelling and rolling back must say
    version: int
    # why it ended as it did, or why it goes back
    why: str
    requester: str
    requested_at: str
    started_at: str | None
    ended_at: str | None


class DeploymentOut(DeploymentBrief):
    allowed: list[str]


class Deployments(Schema):
    items: list[DeploymentBrief]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Made(DeploymentOut):
    new: bool


class ReasonOut(Schema):
    finding: int
    ticket: str
    text: str
    # what would lift it
    lift: str


class HoldsOut(ReasonOut):
    # the page on which that is done
    url: str


class ConditionOut(Schema):
    # waiver, approvals, hold, freeze, soak, needs or busy
    kind: str
    met: bool
    text: str
    detail: str
    # what would meet it, and the page on which that is done
    lift: str
    url: str


class GateOut(Schema):
    open: bool
    # of the policy and the findings that it saw
    verdict_digest: str
    policy: int
    go: bool
    # ship, ship_after or do_not_ship
    answer: str
    reasons: list[HoldsOut]
    reasons_more: int
    conditions: list[ConditionOut]


class ApprovalOut(Schema):
    by: str
    state: str
    # whether it is for the plan as it is now, not too old, by another than who asked
    counts: bool
    reason: str
    at: str


class StructureOut(Schema):
    """What a migrate step's command printed of the database."""

    # before or after
    when: str
    # SHA-256: equal where the structure is
    digest: str
    # of the one after: what differs from the one before
    changes: str
    # bytes that are not kept
    cut: int


class StepOut(Schema):
    n: int
    # forward, or back: what would bring it back
    phase: str
    kind: str
    name: str
    command: list[str]
    url: str
    instructions: str
    state: str
    exit_code: int | None
    message: str
    # of a backup, and of a migration
    verify: list[str]
    structure: list[str]
    # of an HTTP check
    method: str
    statuses: list[int]
    contains: str
    # of a wait, and of health
    pause_seconds: int
    soak_seconds: int
    # goes after the first that it may have by itself, and that it had
    retries: int
    retried: int
    # when its pause is over, or when it goes again
    due_at: str | None
    structures: list[StructureOut]
    started_at: str | None
    ended_at: str | None


class InterruptionOut(Schema):
    number: int
    # step; or gate: that closed before the step began
    about: str
    step: int
    detail: str
    choices: list[str]
    opened_at: str
    # who has it in hand; what taking it must say
    owner: str
    version: int


class DeploymentWhole(DeploymentOut):
    previous: str
    # what approving must say
    plan_digest: str
    expires_at: str | None
    gate: GateOut | None
    approvals: list[ApprovalOut]
    steps: list[StepOut]
    steps_more: int
    interruption: InterruptionOut | None
    # null until it is prepared
    changes: ChangesOut | None


class Narrowed(Strict):
    """As the list of deployments is narrowed; what is left out narrows nothing."""

    project: str = Field("", max_length=10)
    service: str = Field("", max_length=60)
    environment: str = Field("", max_length=60)
    state: str = Field("", max_length=20)
    # a part of the name of who asked for it
    person: str = Field("", max_length=200)
    # days in UTC, such as 2026-11-28: asked for from the one to the other
    since: str = Field("", max_length=20)
    until: str = Field("", max_length=20)


class Listing(Narrowed, Paged):
    """A page of it."""


class AskIn(Strict):
    service: str = Field(max_length=60)
    environment: str = Field(max_length=60)
    asked: str = Field("", max_length=200)


class WhyIn(Versioned):
    reason: Why


speak_for(Deployment, steering.verbs)


def find_deployment(number: int) -> Found | None:
    rows = Deployment.objects.select_related(
        "service__project", "environment", "release__service", "previous__service", "verdict", "requested_by"
    )
    found = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(found, found.service.project.scope) if found else None


def brief(row: Deployment) -> dict[str, Any]:
    return {
        "number": row.pk,
        "project": row.service.project.key,
        "service": row.service.name,
        "environment": row.environment.name,
        "asked": row.asked,
        "commit": row.commit,
        "release": str(row.release or ""),
        "release_number": row.release_id,
        "state": row.state,
        "version": row.version,
        "why": row.why,
        "requester": row.requester,
        "requested_at": moment(row.requested_at),
        "started_at": moment(row.started_at),
        "ended_at": moment(row.ended_at),
    }


def shown(row: Deployment) -> dict[str, Any]:
    """As it is now: the row in hand may be from before what was done to it."""
    found = find_deployment(row.pk)
    assert found is not None
    return brief(found.object) | {"allowed": steering.verbs(found.object)}


def whole(row: Deployment) -> dict[str, Any]:
    steps = list(row.steps.order_by("n").prefetch_related("structures")[: SHOWN + 1])
    interruption = interruptions.open_of(row)
    return brief(row) | {
        "allowed": steering.verbs(row),
        "previous": str(row.previous or ""),
        "plan_digest": row.plan_digest,
        "expires_at": moment(row.expires_at),
        "gate": _gate(row),
        "approvals": _approvals(row),
        "steps": [_step(step) for step in steps[:SHOWN]],
        "steps_more": max(0, row.steps.count() - SHOWN) if len(steps) > SHOWN else 0,
        "interruption": _interruption(interruption) if interruption else None,
        "changes": changes_shown(changes.of(row)),
    }


def _gate(row: Deployment) -> dict[str, Any] | None:
    """While it waits, or is held there under way, as it is now; afterwards the verdict that let it go, or did not."""
    gate = gates.asked_now(row)
    if gate is not None:
        return _verdict(row, gate.verdict, gate.conditions, gate.is_open)
    return _verdict(row, row.verdict, [], row.verdict.go) if row.verdict else None


def _verdict(row: Deployment, verdict: Verdict, conditions: Sequence[Condition], is_open: bool) -> dict[str, Any]:
    names = ConditionOut.model_fields
    return {
        "open": is_open,
        "verdict_digest": verdict.digest,
        "policy": verdict.policy,
        "go": verdict.go,
        "answer": verdict.answer,
        "reasons": [reason | {"url": lifting.url_of(reason, row)} for reason in verdict.reasons],
        "reasons_more": verdict.untold,
        "conditions": [{name: getattr(condition, name) for name in names} for condition in conditions],
    }


def _approvals(row: Deployment) -> list[dict[str, Any]]:
    counting = {approval.pk for approval in gates.approvals_that_count(row)}
    return [
        {
            "by": approval.approver_label,
            "state": approval.state,
            "counts": approval.pk in counting and approval.state == ApprovalState.GIVEN,
            "reason": approval.reason,
            "at": moment(approval.at),
        }
        for approval in Approval.objects.filter(deployment=row).order_by("-pk")[:SHOWN]
    ]


def _step(step: Step) -> dict[str, Any]:
    times = {name: moment(getattr(step, name)) for name in ("started_at", "ended_at", "due_at")}
    names = StepOut.model_fields.keys() - {*times, "structures"}
    structures = [
        {name: getattr(row, name) for name in StructureOut.model_fields}
        for row in sorted(step.structures.all(), key=lambda row: row.pk)
    ]
    return {name: getattr(step, name) for name in names} | times | {"structures": structures}


def _interruption(row: Interruption) -> dict[str, Any]:
    return {
        "number": row.pk,
        "about": row.about,
        "step": row.step.n,
        "detail": row.detail or row.step.instructions,
        "choices": [str(choice) for choice in interruptions.choices_of(row)],
        "opened_at": moment(row.opened_at),
        "owner": row.owner_label,
        "version": row.version,
    }


@operation("get", "/deployments", "api.deployments", SIGNED_IN, query=Listing, response=Deployments)
def deployments(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The deployments that the token's user sees, newest first."""
    return page(queries.matching(request.user, wanted_of(listing)), listing, brief)


def wanted_of(asked: Narrowed) -> dict[str, str]:
    """What a filter asks for, by the form of the page. Raises ``Unfit``, with the name of what cannot be read."""
    if asked.state and asked.state not in DeploymentState.values:
        raise Unfit("state", f"state is one of: {', '.join(DeploymentState.values)}.")
    form = DeploymentFilter({name: getattr(asked, name) for name in Narrowed.model_fields})
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise Unfit(name, " ".join(map(str, problems)))
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


@operation("get", "/deployments/export", "api.deployments.export", SIGNED_IN, query=Narrowed)
def export(request: HttpRequest, asked: Query[Narrowed]) -> HttpResponse:
    """The same as CSV, at most ``EXPORT_MAX_ROWS``; cut, its last line says so."""
    return history.as_csv(queries.matching(request.user, wanted_of(asked)))


@operation(
    "get",
    "/deployments/{int:number}",
    "api.deployment",
    within(Role.VIEWER),
    find=find_deployment,
    response=DeploymentWhole,
)
def deployment(request: HttpRequest, number: int) -> dict[str, Any]:
    """One deployment: its gate with every reason, approvals, steps both ways, and what it waits for."""
    return whole(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/projects/{key}/deployments",
    "api.deployment.request",
    within(Role.RELEASER),
    find=project_by_key,
    response=Made,
)
def ask(request: HttpRequest, key: str, body: AskIn) -> dict[str, Any]:
    """Ask for a commit, branch or tag of a service in an environment; the same at once again is the same deployment."""
    project: Project = request.found  # type: ignore[attr-defined]
    service = Service.objects.filter(project=project, name=body.service).select_related("project").first()
    if service is None:
        raise Unfit("service", f"{key} has no service {body.service}.", 422)
    environment = Environment.objects.filter(project=project, name=body.environment).first()
    if environment is None:
        raise Unfit("environment", f"{key} has no environment {body.environment}.", 422)
    asked = body.asked.strip()
    if problem := policy.branch_problem(asked):
        raise Unfit("asked", problem)
    newest = Deployment.objects.aggregate(newest=Max("pk"))["newest"] or 0
    made = requesting.request(service, environment, asked=asked, by=cast(User, request.user))
    return shown(made) | {"new": made.pk > newest}
