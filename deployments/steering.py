"""What a person can do to a deployment as it stands now, and what of that is no rule of one record."""

from __future__ import annotations

from deployments import approvals, interruptions, overriding, rehearsals, rollout, step_jobs
from deployments.models import (
    ACTIVE_STATES,
    Approval,
    ApprovalState,
    Deployment,
    DeploymentState,
    Step,
    StepKind,
    StepState,
)
from deployments.transitions import DEPLOYMENT, STEP
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from workers import queue
from workers.models import Job, JobState

_S = DeploymentState


def verbs(deployment: Deployment) -> list[str]:
    """What may be done to it now, whoever does it; the role and who asked for it decide further."""
    state = deployment.state
    found = ["look_again"] if state == _S.WAITING else []
    if state == _S.WAITING and deployment.environment.approvals_needed:
        found.append("approve")
    if state == _S.WAITING and rehearsals.missing(deployment):
        found.append("waive")
    if state in {_S.WAITING, _S.QUEUED} and approvals.given(deployment):
        found.append("withdraw")
    if state == _S.WAITING and overriding.to_override(deployment):
        found.append("override")
    if "cancel" in {step.verb for step in DEPLOYMENT.allowed(state)}:
        found.append("cancel")
    if state in ACTIVE_STATES and step_jobs.live(deployment) is not None:
        found.append("stop")
    if pausing(deployment) is not None:
        found.append("end_wait")
    if state == _S.INTERRUPTED and interruptions.open_of(deployment) is not None:
        found.append("answer")
    if state == _S.SUCCEEDED and rollout.stands_there(deployment) and rollout.can_go_back(deployment):
        found.append("roll_back")
    return found


def withdraw(deployment: Deployment, *, by: User, reason: str = "") -> Approval:
    """Take the approval back that ``by`` gave. Raises ``Refused``."""
    own = Approval.objects.filter(deployment=deployment, approver=by, state=ApprovalState.GIVEN)
    approval = own.select_related("deployment").order_by("-pk").first()
    if approval is None:
        raise Refused("You have given no approval that could be withdrawn.")
    return approvals.withdraw(approval, by=by, reason=reason)


def stop(deployment: Deployment, *, step: int, reason: str) -> Job:
    """End that step, which runs or is next; then a person says how it goes on. Raises ``Refused``."""
    if deployment.state not in ACTIVE_STATES:
        more = " Cancel it instead." if deployment.state in {_S.PREPARING, _S.WAITING, _S.QUEUED} else ""
        raise Refused(f"It is {deployment.get_state_display().lower()}: no step of it runs.{more}")
    job = step_jobs.live(deployment)
    if job is None or job.payload["step"] != step:
        now = f" Step {job.payload['step']} does." if job else ""
        raise Refused(f"Step {step} of it does not run now.{now}")
    return queue.cancel(job, reason=reason)


def pausing(deployment: Deployment) -> Step | None:
    """The wait step whose pause goes on."""
    if deployment.state not in {_S.RUNNING, _S.ROLLING_BACK}:
        return None
    rows = Step.objects.filter(deployment=deployment, kind=StepKind.WAIT, due_at__isnull=False)
    return rows.filter(state__in=[StepState.RUNNING, StepState.WAITING]).order_by("n").first()


def end_wait(deployment: Deployment, *, step: int, reason: str) -> Deployment:
    """Let what comes after that pause come now. Raises ``Refused`` where it is over, or no reason is given."""
    if not reason.strip():
        raise Refused("Say why it is not waited for: it goes into the record of the deployment.")
    with unit_of_work():
        # Its job before its rows, as the worker takes them: one of the two ends the pause.
        waits = step_jobs.live(deployment)
        job = Job.objects.select_for_update().filter(pk=waits.pk).first() if waits else None
        found = pausing(deployment)
        if found is None or found.n != step:
            raise Refused(f"Step {step} of it does not wait now.")
        found.deployment = deployment
        STEP.move(found, "end_early", reason=reason, message=f"Ended early: {reason}"[:300], ended_at=Wall())
        rollout.advance(deployment)
        if job is not None and job.state == JobState.QUEUED:
            queue.cancel(job, reason=reason)
    return deployment


def roll_back(deployment: Deployment, *, expected_version: int, reason: str) -> Deployment:
    """Take back what succeeded and still stands there. Raises ``Refused``.

    One that is under way goes back by the answer to its interruption: its
    step may be half done, and a person has to have seen that.
    """
    if deployment.state == _S.INTERRUPTED:
        raise Refused("It needs a person: answer its interruption with “Roll back”.")
    if deployment.state in ACTIVE_STATES:
        said = deployment.get_state_display().lower()
        raise Refused(f"It is {said}. Stop its step first; then it asks how it goes on.")
    with unit_of_work():
        rollout.roll_back(deployment, reason=reason, expected_version=expected_version)
    return deployment
