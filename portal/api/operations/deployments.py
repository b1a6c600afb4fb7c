"""Deployments: asked for, listed, and read with their gate, their steps and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

from django.db.models import Max
from django.http import HttpRequest
from ninja import Field, Query, Schema

from deployments import gates, interruptions, requesting, steering
from deployments.forms import REASON_CHARS
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
from portal.api.shapes import Paged, Seen, Strict, Versioned, moment, page, project_by_key
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.models import User
from tickets import policy
from tickets.models import Project
from tickets.queries import seen_by

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


class ConditionOut(Schema):
    # approvals, hold or busy
    kind: str
    met: bool
    text: str
    detail: str
    lift: str


class GateOut(Schema):
    open: bool
    # of the policy and the findings that it saw
    verdict_digest: str
    policy: int
    go: bool
    # ship, ship_after or do_not_ship
    answer: str
    reasons: list[ReasonOut]
    reasons_more: int
    conditions: list[ConditionOut]


class ApprovalOut(Schema):
    by: str
    state: str
    # whether it is for the plan as it is now, by another than who asked
    counts: bool
    reason: str
    at: str


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
    started_at: str | None
    ended_at: str | None


class InterruptionOut(Schema):
    number: int
    step: int
    detail: str
    choices: list[str]
    opened_at: str


class CommitOut(Schema):
    commit: str
    author: str
    title: str


class ChangesOut(Schema):
    # since the release that stood there; the newest are named
    commits: int = 0
    newest: list[CommitOut] = []
    tickets: list[str] = []


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
    changes: ChangesOut


class Listing(Paged):
    project: str = Field("", max_length=10)
    service: str = Field("", max_length=60)
    environment: str = Field("", max_length=60)
    state: str = Field("", max_length=20)


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
    steps = list(row.steps.order_by("n")[: SHOWN + 1])
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
        "changes": row.changes,
    }


def _gate(row: Deployment) -> dict[str, Any] | None:
    """While it waits, as it is now; afterwards the verdict that let it go, or did not."""
    if row.state == DeploymentState.WAITING:
        gate = gates.look(row)
        return _verdict(gate.verdict, gate.conditions, gate.is_open)
    return _verdict(row.verdict, [], row.verdict.go) if row.verdict else None


def _verdict(verdict: Verdict, conditions: Sequence[gates.Condition], is_open: bool) -> dict[str, Any]:
    names = ConditionOut.model_fields
    return {
        "open": is_open,
        "verdict_digest": verdict.digest,
        "policy": verdict.policy,
        "go": verdict.go,
        "answer": verdict.answer,
        "reasons": verdict.reasons,
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
    times = {"started_at": moment(step.started_at), "ended_at": moment(step.ended_at)}
    return {name: getattr(step, name) for name in StepOut.model_fields} | times


def _interruption(row: Interruption) -> dict[str, Any]:
    return {
        "number": row.pk,
        "step": row.step.n,
        "detail": row.detail or row.step.instructions,
        "choices": [str(choice) for choice in interruptions.choices_of(row)],
        "opened_at": moment(row.opened_at),
    }


@operation("get", "/deployments", "api.deployments", SIGNED_IN, query=Listing, response=Deployments)
def deployments(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The deployments that the token's user sees, newest first."""
    if listing.state and listing.state not in DeploymentState.values:
        raise Unfit("state", f"state is one of: {', '.join(DeploymentState.values)}.")
    rows = Deployment.objects.select_related("service__project", "environment", "release__service")
    named = {
        "service__project__key": listing.project,
        "service__name": listing.service,
        "environment__name": listing.environment,
        "state": listing.state,
    }
    rows = rows.filter(**{name: value for name, value in named.items() if value})
    return page(seen_by(request.user, rows, "service__project"), listing, brief)


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
