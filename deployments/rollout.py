"""A deployment's way: step after step, to its end or back.

Every function here runs in the transaction of what it follows from: the end
of a step's job, or a person's answer.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction

from deployments import gates, holds, placements, plans, proof, releases, requesting, step_jobs, telling, verdicts
from deployments.models import (
    Asks,
    Deployment,
    DeploymentState,
    Interruption,
    InterruptionState,
    OnFailure,
    Phase,
    Placement,
    Service,
    Step,
    StepKind,
    StepState,
)
from deployments.transitions import DEPLOYMENT, STEP
from portal.core.clock import Wall
from portal.core.lifecycle import Refused, amend
from portal.core.unit import current

# The start ----------------------------------------------------------------------


def start(deployment: Deployment, merges: frozenset[int]) -> bool:
    """Ask the gate again in the transaction that starts; false where it has closed meanwhile, or the plan is old.

    ``merges`` is what the commit holds, measured just now.
    """
    # Two that start at once into one place, or one that outruns an older: one after the other.
    Service.objects.select_for_update().get(pk=deployment.service_id)
    assert deployment.release is not None
    releases.measured(deployment.release, merges)
    try:
        plan = plans.make(deployment, deployment.release)
    except plans.UnknownVariable as unknown:
        # The clock refuses it, with these words.
        DEPLOYMENT.move(deployment, "close", reason=str(unknown))
        return False
    if plan:
        said = "What stands there, or the environment's variables, changed since the plan was made: planned again."
        DEPLOYMENT.move(deployment, "close", reason=said, **plan)
        return False
    gate = gates.look(deployment)
    gate.verdict.save(force_insert=True)
    if not gate.is_open:
        DEPLOYMENT.move(deployment, "close", reason="The gate closed before the start.", verdict=gate.verdict)
        return False
    try:
        with transaction.atomic():
            DEPLOYMENT.move(deployment, "start", verdict=gate.verdict, started_at=Wall())
    except IntegrityError:
        # The constraint is the last to say it: one at a time.
        DEPLOYMENT.move(deployment, "close", reason="Another deployment is on its way there.", verdict=gate.verdict)
        return False
    _outrun(deployment)
    return True


def _outrun(deployment: Deployment) -> None:
    """What was asked for earlier and still waits would put an older wish over a newer one."""
    older = Deployment.objects.filter(
        service=deployment.service_id,
        environment=deployment.environment_id,
        pk__lt=deployment.pk,
        state__in=[DeploymentState.PREPARING, DeploymentState.WAITING, DeploymentState.QUEUED],
    )
    said = f"Deployment {deployment.pk}, asked for later, started first."
    for other in older.select_related("service", "environment").order_by("pk"):
        DEPLOYMENT.move(other, "cancel", reason=said, why=said, ended_at=Wall())
        telling.ended(other, "cancel")


# From step to step ----------------------------------------------------------------


def advance(deployment: Deployment) -> None:
    """What comes after a step that is done or skipped: the next one, or the end."""
    phase = Phase.BACK if deployment.state == DeploymentState.ROLLING_BACK else Phase.FORWARD
    step = _next(deployment, phase)
    if step is None:
        _come_back(deployment) if phase == Phase.BACK else _succeed(deployment)
    elif held_at_gate(step):
        return
    elif step.kind == StepKind.MANUAL:
        ask(step)
    else:
        step_jobs.enqueue(step)


def held_at_gate(step: Step) -> bool:
    """Ask the gate again before a step forward; where it has closed the deployment waits for a person, and says why.

    On the way back nothing is asked: what is there is to go, whatever is known of it. Call it in the transaction in
    which the step begins, or is queued.
    """
    deployment = step.deployment
    if step.phase == Phase.BACK:
        return False
    gate = gates.under_way(deployment)
    if deployment.verdict is None or verdicts.is_stale(deployment.verdict, gate.verdict):
        gate.verdict.save(force_insert=True)
        amend(deployment, DEPLOYMENT, "judged", expected_version=deployment.version, verdict=gate.verdict)
    if gate.is_open:
        return False
    _interrupt(deployment, step, f"The gate has closed: {gates.in_the_way(gate)}", about=Asks.GATE)
    return True


def ask(step: Step) -> None:
    """A step that is a person's to do."""
    STEP.move(step, "ask", started_at=Wall())
    _interrupt(step.deployment, step, "")


def _next(deployment: Deployment, phase: Phase) -> Step | None:
    """The next step to do; on the way back without what undoes a step that never began."""
    rows = Step.objects.filter(deployment=deployment, phase=phase, state=StepState.WAITING).order_by("n")
    for step in rows:
        step.deployment = deployment
        if step.undoes is None or _began(deployment, step.undoes):
            return step
        STEP.move(step, "skip", reason=f"Step {step.undoes} never began.")
    return None


def _began(deployment: Deployment, n: int) -> bool:
    return Step.objects.filter(deployment=deployment, n=n, started_at__isnull=False).exists()


def failed(step: Step, said: str, *, stopped: bool, exit_code: int | None = None) -> None:
    """A step failed: a person decides, or the environment's own rule. One that a person stopped asks that person."""
    deployment = step.deployment
    STEP.move(step, "fail", reason=said, message=said[:300], ended_at=Wall(), exit_code=exit_code)
    by_rule = deployment.environment.on_failure == OnFailure.ROLL_BACK and not stopped
    if step.phase == Phase.FORWARD and by_rule and can_go_back(deployment):
        roll_back(deployment, reason=f"{step.name} failed: {said}")
    else:
        _interrupt(deployment, step, said)


def _interrupt(deployment: Deployment, step: Step, detail: str, *, about: str = Asks.STEP) -> None:
    interruption = Interruption.objects.create(
        deployment=deployment, step=step, about=about, detail=detail[:500], state=InterruptionState.OPEN
    )
    DEPLOYMENT.move(deployment, "interrupt", reason=f"{step.name}: {detail or step.instructions}"[:500])
    current().record("interruption.opened", interruption.subject, after={"step": step.n, "detail": detail})
    telling.interrupted(interruption)


# The ends -------------------------------------------------------------------------


def _succeed(deployment: Deployment) -> None:
    verified = _verified(deployment, Phase.FORWARD)
    DEPLOYMENT.move(deployment, "succeed", ended_at=Wall())
    placements.put(deployment, deployment.release, verified=verified)
    proof.stands(deployment, verified=verified)
    telling.ended(deployment, "succeed")
    _wake_others(deployment)


def fail(deployment: Deployment, *, reason: str) -> None:
    """A person ends it as it is. What stands there is not known any more, unless nothing was touched yet."""
    DEPLOYMENT.move(deployment, "fail", reason=reason, why=reason[:500], ended_at=Wall())
    if _touched(deployment):
        placements.put(deployment, None, verified=False)
        proof.stands(deployment, verified=False)
    telling.ended(deployment, "fail")
    _wake_others(deployment)


def _touched(deployment: Deployment) -> bool:
    """Whether a step began that changes what runs: any, where the pipeline names no such step."""
    rows = Step.objects.filter(deployment=deployment, phase=Phase.FORWARD)
    changing = rows.filter(kind__in=[StepKind.MIGRATE, StepKind.RESTART])
    return (changing if changing.exists() else rows).filter(started_at__isnull=False).exists()


def _verified(deployment: Deployment, phase: Phase) -> bool:
    """Whether the service itself reported the commit, after whatever was done last."""
    rows = Step.objects.filter(deployment=deployment, phase=phase, kind=StepKind.HEALTH)
    return rows.filter(state=StepState.SUCCEEDED).exists() and not rows.exclude(state=StepState.SUCCEEDED).exists()


def _wake_others(deployment: Deployment) -> None:
    """What waited for the place is looked at now, not with the next tick."""
    rows = Deployment.objects.filter(
        service=deployment.service_id, environment=deployment.environment_id, state=DeploymentState.WAITING
    )
    for other in rows.select_related("service__project", "environment", "release", "verdict").order_by("pk"):
        requesting.look_again(other)


# The way back ---------------------------------------------------------------------


def can_go_back(deployment: Deployment) -> bool:
    return Step.objects.filter(deployment=deployment, phase=Phase.BACK, state=StepState.WAITING).exists()


def stands_there(deployment: Deployment) -> bool:
    """Whether what it brought stands there: nothing succeeded there since, or what did was taken back again."""
    place = {"service": deployment.service_id, "environment": deployment.environment_id}
    later = Deployment.objects.filter(**place, pk__gt=deployment.pk, state=DeploymentState.SUCCEEDED)
    stands = Placement.objects.filter(**place, release=deployment.release_id, release__isnull=False)
    return stands.exists() and not later.exists()


def roll_back(deployment: Deployment, *, reason: str, expected_version: int | None = None) -> None:
    """Begin the way back, as it was planned. The release is held, so that nobody brings it again unasked.

    Raises ``Refused`` where there is nothing to go back to, or another
    deployment has the place.
    """
    # The place is taken again by one that had ended.
    Service.objects.select_for_update().get(pk=deployment.service_id)
    if not can_go_back(deployment):
        raise Refused("There is no way back: nothing stood there before, and no step names what undoes it.")
    if deployment.state == DeploymentState.SUCCEEDED and not stands_there(deployment):
        raise Refused(
            "Another deployment has followed there. Roll back that one, or deploy what you want to stand there."
        )
    try:
        with transaction.atomic():
            DEPLOYMENT.move(
                deployment,
                "roll_back",
                expected_version=expected_version,
                reason=reason,
                why=reason[:500],
                ended_at=None,
            )
    except IntegrityError:
        raise Refused("Another deployment is on its way there. Wait for its end, or stop it.") from None
    if deployment.release is not None:
        holds.hold_release(deployment.release, cause=deployment, reason=f"Rolled back: {reason}")
    advance(deployment)


def _come_back(deployment: Deployment) -> None:
    verified = _verified(deployment, Phase.BACK)
    DEPLOYMENT.move(deployment, "come_back", reason=deployment.why, ended_at=Wall())
    placements.put(deployment, deployment.previous, verified=verified)
    proof.stands(deployment, verified=verified)
    telling.ended(deployment, "come_back")
    _wake_others(deployment)
