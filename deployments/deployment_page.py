"""What the page of a deployment shows: its gate, its steps both ways, its changes; a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db.models import Max, QuerySet

from deployments import approvals, gates, interruptions, lifting, rehearsals, step_jobs, verdicts, waiving
from deployments.conditions import Condition
from deployments.models import (
    Approval,
    Asks,
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
    Structure,
    Verdict,
    Waiver,
    When,
)
from portal.core.models import User
from reviews.models import Finding
from tickets import diffs, output
from workers.models import Attempt

STEPS_SHOWN: Final = 100
# of all health steps together; of one, the first and the newest
CHECKS_READ: Final = 500
CHECKS_FIRST: Final = 2
CHECKS_NEWEST: Final = 6
ATTEMPTS_SHOWN: Final = 100


# The gate ---------------------------------------------------------------------


class Reason(NamedTuple):
    """Why the gate held, as it said it then; ``finding`` is as it is now. ``url`` leads to what lifts it."""

    text: str
    lift: str
    ticket: str
    finding: Finding | None
    url: str


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
    shown, holds = _reasons(deployment, verdict), _holds(verdict)
    now = gates.asked_now(deployment)
    if now is None:
        return GateShown(verdict, holds, shown, verdict.untold)
    conditions = now.conditions
    if deployment.state == DeploymentState.WAITING:
        conditions = _conditions(deployment, conditions)
    stale = verdicts.is_stale(verdict, now.verdict)
    return GateShown(verdict, holds, shown, verdict.untold, conditions, stale)


def _holds(verdict: Verdict) -> list[str]:
    policy = Policy.objects.filter(project=verdict.project_id, number=verdict.policy).first()
    return verdicts.in_words(verdicts.in_force(policy) if policy else verdicts.OWN)


def _reasons(deployment: Deployment, verdict: Verdict) -> list[Reason]:
    rows = Finding.objects.filter(pk__in=[reason["finding"] for reason in verdict.reasons])
    found = {finding.pk: finding for finding in rows.annotate(review=Max("occurrences__review"))}
    return [
        Reason(
            reason["text"],
            reason["lift"],
            reason["ticket"],
            found.get(reason["finding"]),
            lifting.url_of(reason, deployment),
        )
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
    """``expired`` are the ids of those that are too old to count."""

    given: list[Approval]
    expired: set[int]
    needed: int
    missing: int
    # why the reader cannot approve, empty where nothing is in the way but the role
    why_not: str


def approvals_of(deployment: Deployment, reader: User) -> ApprovalsShown:
    found, needed = approvals.given(deployment), deployment.environment.approvals_needed
    counted = len(gates.approvals_that_count(deployment)) if needed else 0
    old = approvals.expired(deployment) if found and deployment.environment.approval_hours else set[int]()
    return ApprovalsShown(found, old, needed, max(needed - counted, 0), approvals.why_not(deployment, reader))


class WaiversShown(NamedTuple):
    """What the migrations of this plan may go without, by whom, and what is still asked for."""

    given: list[Waiver]
    missing: list[Condition]
    # why the reader cannot waive, empty where nothing is in the way but the role
    why_not: str


def waivers_of(deployment: Deployment, reader: User) -> WaiversShown:
    given = list(Waiver.objects.filter(deployment=deployment, target_digest=deployment.plan_digest).order_by("pk"))
    waits = deployment.state == DeploymentState.WAITING
    missing = [condition for condition in rehearsals.asked(deployment) if not condition.met] if waits else []
    return WaiversShown(given, missing, waiving.why_not(deployment, reader) if missing else "")


# The steps ----------------------------------------------------------------------


class Checks(NamedTuple):
    """The answers of a service in a health step: the first, and the newest."""

    first: list[HealthCheck]
    left_out: int
    newest: list[HealthCheck]
    right: int
    asked: int


class StructureShown(NamedTuple):
    """What a migration did to the structure of its database, as far as it was printed."""

    before: Structure | None
    after: Structure | None
    # of a structure that is another now
    diff: diffs.File | None

    @property
    def is_unchanged(self) -> bool:
        return self.before is not None and self.after is not None and self.before.digest == self.after.digest


class StepShown(NamedTuple):
    step: Step
    output: output.Output | None
    earlier: list[Attempt]
    checks: Checks | None
    structure: StructureShown | None


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
    structures = _structures(deployment)
    # a pause writes nothing
    wrote = [step for step in rows if step.attempt_id and step.kind != StepKind.WAIT]
    newest = max(wrote, key=lambda step: step.attempt_id or 0, default=None)
    shown = [
        StepShown(
            step,
            _output(step) if step is newest else None,
            earlier.get(step.n, []),
            _bounded(checks[step.pk]) if step.pk in checks else None,
            structures.get(step.pk),
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
    rows = HealthCheck.objects.filter(step__deployment=deployment)
    found: dict[int, list[HealthCheck]] = {}
    for check in rows.order_by("step", "n")[:CHECKS_READ]:
        found.setdefault(check.step_id, []).append(check)
    return found


def _structures(deployment: Deployment) -> dict[int, StructureShown]:
    """By step; of one that is another now with the difference alone, not with both texts."""
    found: dict[int, dict[str, Structure]] = {}
    for row in Structure.objects.filter(step__deployment=deployment).defer("text"):
        found.setdefault(row.step_id, {})[row.when] = row
    shown = {}
    for step, rows in found.items():
        before, after = rows.get(When.BEFORE), rows.get(When.AFTER)
        files = diffs.read(after.changes).files if after and after.changes else []
        shown[step] = StructureShown(before, after, files[0] if files else None)
    return shown


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
    at_gate = interruption.about == Asks.GATE
    goes_back = f"{deployment.previous} returns" if deployment.previous else "what was done is undone"
    leads_to = _LEADS_TO | {Choice.ROLL_BACK: f"{goes_back}, and {deployment.release} is held"}
    labels = {one: str(one.label) for one in Choice}
    if at_gate:
        labels[Choice.RETRY] = "Go on"
        leads_to[Choice.RETRY] = f"the gate is asked again, and where it is open {interruption.step.name} begins"
    found = interruptions.choices_of(interruption)
    return [ChoiceShown(one.value, labels[one], leads_to[one], one in {Choice.FAIL, Choice.ROLL_BACK}) for one in found]


# Its history ---------------------------------------------------------------------


def subjects(deployment: Deployment, given: Iterable[Approval]) -> list[str]:
    """All that the history of its page is about; its steps tell of themselves."""
    asked = Interruption.objects.filter(deployment=deployment).order_by("-pk").values_list("pk", flat=True)
    return [
        deployment.subject,
        *(f"interruption:{number}" for number in asked[:ATTEMPTS_SHOWN]),
        *(f"approval:{approval.pk}" for approval in given),
    ]
