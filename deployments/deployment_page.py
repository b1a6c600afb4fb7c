"""What the page of a deployment shows: its gate, its steps both ways, its changes; a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db.models import Max, QuerySet

from deployments import approvals, gates, interruptions, step_jobs, verdicts
from deployments.gates import Condition
from deployments.models import (
    Approval,
    Choice,
    Deployment,
    DeploymentState,
    HealthCheck,
    Interruption,
    Phase,
    Policy,
    Step,
    StepKind,
    StepState,
    Verdict,
)
from portal.core.models import User
from reviews.models import Finding, FindingState
from tickets import output
from workers.models import Attempt

STEPS_SHOWN: Final = 100
# of all health steps together; of one, the first and the newest
CHECKS_READ: Final = 500
CHECKS_FIRST: Final = 2
CHECKS_NEWEST: Final = 6
ATTEMPTS_SHOWN: Final = 100
FINDINGS_SHOWN: Final = 50


# The gate ---------------------------------------------------------------------


class Reason(NamedTuple):
    """Why the gate held, as it said it then; ``finding`` is as it is now."""

    text: str
    lift: str
    ticket: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class GateShown:
    """The frozen verdict; while the deployment waits, whether it still holds, and all else that is asked."""

    verdict: Verdict
    # what holds by the policy that it was made by
    holds: list[str]
    reasons: list[Reason]
    # findings that hold and are not told
    more: int
    conditions: list[Condition] = field(default_factory=list)
    stale: bool = False


def gate(deployment: Deployment) -> GateShown | None:
    """None until it was asked for the first time."""
    verdict = deployment.verdict
    if verdict is None:
        return None
    shown, holds = _reasons(verdict), _holds(verdict)
    if deployment.state != DeploymentState.WAITING:
        return GateShown(verdict, holds, shown, verdict.untold)
    now = gates.look(deployment)
    return GateShown(
        verdict,
        holds,
        shown,
        verdict.untold,
        _conditions(deployment, now.conditions),
        verdicts.is_stale(verdict, now.verdict),
    )


def _holds(verdict: Verdict) -> list[str]:
    policy = Policy.objects.filter(project=verdict.project_id, number=verdict.policy).first()
    return verdicts.in_words(verdicts.in_force(policy) if policy else verdicts.OWN)


def _reasons(verdict: Verdict) -> list[Reason]:
    rows = Finding.objects.filter(pk__in=[reason["finding"] for reason in verdict.reasons])
    found = {finding.pk: finding for finding in rows.annotate(review=Max("occurrences__review"))}
    return [
        Reason(reason["text"], reason["lift"], reason["ticket"], found.get(reason["finding"]))
        for reason in verdict.reasons
    ]


def _conditions(deployment: Deployment, found: list[Condition]) -> list[Condition]:
    """With those that are met because nothing is in the way."""
    kinds = {condition.kind for condition in found}
    free = [
        Condition("hold", True, f"No hold on {deployment.release} or on {deployment.environment}"),
        Condition("busy", True, f"Nothing else is on its way to {deployment.environment}"),
    ]
    return [*found, *(condition for condition in free if condition.kind not in kinds)]


class ApprovalsShown(NamedTuple):
    given: list[Approval]
    needed: int
    missing: int
    # why the reader cannot approve, empty where nothing is in the way but the role
    why_not: str


def approvals_of(deployment: Deployment, reader: User) -> ApprovalsShown:
    found, needed = approvals.given(deployment), deployment.environment.approvals_needed
    counted = len(gates.approvals_that_count(deployment)) if needed else 0
    return ApprovalsShown(found, needed, max(needed - counted, 0), approvals.why_not(deployment, reader))


# The steps ----------------------------------------------------------------------


class Checks(NamedTuple):
    """The answers of a service in a health step: the first, and the newest."""

    first: list[HealthCheck]
    left_out: int
    newest: list[HealthCheck]
    right: int
    asked: int


class StepShown(NamedTuple):
    step: Step
    output: output.Output | None
    earlier: list[Attempt]
    checks: Checks | None


class StepsShown(NamedTuple):
    forward: list[StepShown]
    back: list[StepShown]
    # whether the way back was begun
    goes_back: bool

    @property
    def all(self) -> list[StepShown]:
        return [*self.forward, *self.back]

    @property
    def done(self) -> int:
        return sum(shown.step.state in {StepState.SUCCEEDED, StepState.SKIPPED} for shown in self.forward)


def steps(deployment: Deployment) -> StepsShown:
    """The steps in order; the one that ran last, or runs, with its output."""
    rows = list(Step.objects.filter(deployment=deployment).select_related("attempt").order_by("n")[:STEPS_SHOWN])
    checks, earlier = _checks(deployment), _earlier(deployment, rows)
    newest = max((step for step in rows if step.attempt_id), key=lambda step: step.attempt_id or 0, default=None)
    shown = [
        StepShown(
            step,
            _output(step) if step is newest else None,
            earlier.get(step.n, []),
            _bounded(checks[step.pk]) if step.pk in checks else None,
        )
        for step in rows
    ]
    back = [one for one in shown if one.step.phase == Phase.BACK]
    began = deployment.state in {DeploymentState.ROLLING_BACK, DeploymentState.ROLLED_BACK}
    began = began or any(one.step.state != StepState.WAITING for one in back)
    return StepsShown([one for one in shown if one.step.phase == Phase.FORWARD], back, began)


def _output(step: Step) -> output.Output | None:
    return output.newest(step.attempt_id, running=step.state == StepState.RUNNING) if step.attempt_id else None


def _earlier(deployment: Deployment, rows: Iterable[Step]) -> dict[int, list[Attempt]]:
    """By the number of a step, the attempts at it that another followed."""
    current = {step.attempt_id for step in rows}
    found = attempts_of(deployment).select_related("job").order_by("-pk")[:ATTEMPTS_SHOWN]
    earlier: dict[int, list[Attempt]] = {}
    for attempt in reversed(found):
        number = attempt.job.payload.get("step")
        if attempt.pk not in current and isinstance(number, int):
            earlier.setdefault(number, []).append(attempt)
    return earlier


def attempts_of(deployment: Deployment) -> QuerySet[Attempt]:
    """Every go at one of its steps."""
    return Attempt.objects.filter(job__kind=step_jobs.STEP_KIND, job__subject=deployment.subject)


def _checks(deployment: Deployment) -> dict[int, list[HealthCheck]]:
    rows = HealthCheck.objects.filter(step__deployment=deployment, step__kind=StepKind.HEALTH)
    found: dict[int, list[HealthCheck]] = {}
    for check in rows.order_by("step", "n")[:CHECKS_READ]:
        found.setdefault(check.step_id, []).append(check)
    return found


def _bounded(rows: list[HealthCheck]) -> Checks:
    asked, right = rows[-1].n, sum(check.right for check in rows)
    if len(rows) <= CHECKS_FIRST + CHECKS_NEWEST and len(rows) == asked:
        return Checks(rows, 0, [], right, asked)
    newest = rows[max(len(rows) - CHECKS_NEWEST, CHECKS_FIRST) :]
    first = rows[:CHECKS_FIRST]
    return Checks(first, asked - len(first) - len(newest), newest, right, asked)


# What a person may answer ---------------------------------------------------------


class ChoiceShown(NamedTuple):
    """An answer to an interruption, and what it leads to. ``ends``: the deployment goes no further forward."""

    value: str
    label: str
    leads_to: str
    ends: bool


_LEADS_TO: Final[dict[str, str]] = {
    Choice.DONE: "the step counts as done, and the next one begins",
    Choice.RETRY: "the step runs once more, then the next ones",
    Choice.SKIP: "the step is left out, and the next one begins",
    Choice.FAIL: "it ends here as it is; what stands there is not known any more once a step has changed it",
}


def choices(deployment: Deployment, interruption: Interruption | None) -> list[ChoiceShown]:
    if interruption is None:
        return []
    goes_back = f"{deployment.previous} returns" if deployment.previous else "what was done is undone"
    leads_to = _LEADS_TO | {Choice.ROLL_BACK: f"{goes_back}, and {deployment.release} is held"}
    found = interruptions.choices_of(interruption)
    return [
        ChoiceShown(one.value, str(one.label), leads_to[one], one in {Choice.FAIL, Choice.ROLL_BACK}) for one in found
    ]


# What it changes ------------------------------------------------------------------


class Changes(NamedTuple):
    """What comes with it since the release before, as it was found when it was prepared."""

    commits: int
    newest: list[dict[str, str]]
    tickets: list[str]
    findings: list[Finding]
    pipeline: bool


def changes(deployment: Deployment) -> Changes | None:
    """None until it is prepared."""
    release, previous, told = deployment.release, deployment.previous, deployment.changes
    if release is None:
        return None
    tickets = told.get("tickets", [])
    rows = Finding.objects.filter(ticket__key__in=tickets).exclude(state=FindingState.WITHDRAWN)
    findings = rows.annotate(review=Max("occurrences__review")).order_by("pk")[:FINDINGS_SHOWN]
    return Changes(
        told.get("commits", 0),
        told.get("newest", []),
        tickets,
        list(findings),
        previous is not None and previous.pipeline != release.pipeline,
    )


def subjects(deployment: Deployment, given: Iterable[Approval]) -> list[str]:
    """All that the history of its page is about; its steps tell of themselves."""
    asked = Interruption.objects.filter(deployment=deployment).order_by("-pk").values_list("pk", flat=True)
    return [
        deployment.subject,
        *(f"interruption:{number}" for number in asked[:ATTEMPTS_SHOWN]),
        *(f"approval:{approval.pk}" for approval in given),
    ]
