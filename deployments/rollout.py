"""A deployment's way: requested, judged, started if the gate is still open, run step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from deployments import gates
from deployments.models import Deployment, DeploymentState, Environment, Service, Step, StepState, Verdict
from deployments.transitions import DEPLOYMENT, STEP
from portal.core import limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from workers import children, queue
from workers.children import Command
from workers.claims import Claim
from workers.failures import BadInput, JobFailed, TimedOut
from workers.kinds import Ending
from workers.models import Outcome

STEP_KIND = "deployment.step"
TWIN_SECONDS = 5


def request(service: Service, environment: Environment, *, commit: str = "") -> Deployment:
    """Ask the gate, and queue the deployment if it is open; a refused one is recorded with its reasons.

    The same request again within seconds, of a gate that sees the same, is the
    same deployment. Raises ``Refused`` where another is on its way there.
    """
    if service.project_id != environment.project_id:
        raise Refused(f"{service} and {environment} are of different projects.")
    with unit_of_work() as work:
        # The service's lock orders two clicks: the second finds what the first made.
        Service.objects.select_for_update().get(pk=service.pk)
        verdict = gates.judge(service.project)
        twin = _twin(service, environment, commit, verdict)
        if twin is not None:
            return twin
        verdict.save(force_insert=True)
        state = DeploymentState.QUEUED if verdict.go else DeploymentState.REFUSED
        try:
            with transaction.atomic():
                deployment = Deployment.objects.create(
                    service=service, environment=environment, commit=commit, verdict=verdict, state=state
                )
        except IntegrityError:
            raise Refused(
                f"A deployment of {service} to {environment} is on its way already. Wait for its end."
            ) from None
        after = {"state": state, "commit": commit, "blocking": verdict.blocking}
        work.record("deployment.requested", deployment.subject, after=after)
        DEPLOYMENT.announce(deployment)
        if verdict.go:
            Step.objects.create(
                deployment=deployment, n=1, name="Deploy", command=service.command, state=StepState.WAITING
            )
            _enqueue(deployment)
    return deployment


def _twin(service: Service, environment: Environment, commit: str, verdict: Verdict) -> Deployment | None:
    """What the first of two clicks made; once the gate sees something else, it is no twin."""
    rows = Deployment.objects.filter(service=service, environment=environment, commit=commit)
    recent = rows.filter(requested_at__gte=Wall(-TWIN_SECONDS)).select_related("verdict").order_by("-id").first()
    return recent if recent and recent.verdict.digest == verdict.digest and recent.ended_at is None else None


def _enqueue(deployment: Deployment) -> None:
    queue.enqueue(
        STEP_KIND,
        subject=deployment.subject,
        payload={"deployment": deployment.pk, "step": 1},
        unique_key=f"{deployment.subject}/1",
        exclusive=True,
        audience=deployment.service.project.scope,
    )


def run(claim: Claim) -> None:
    """The handler of kind "deployment.step"."""
    step = _step(claim.payload)
    if step is None:
        raise BadInput("The step of this deployment is not there any more.")
    if not _start(claim, step):
        return
    folder: Path = settings.DATA_DIR / "deployments" / str(step.deployment_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = children.allowed_environment([]) | {
        "SHIPROOM_SERVICE": step.deployment.service.name,
        "SHIPROOM_ENVIRONMENT": step.deployment.environment.name,
        "SHIPROOM_COMMIT": step.deployment.commit,
    }
    command = Command(
        argv=tuple(step.command), cwd=folder, env=environment, wall_seconds=limits.value("STEP_WALL_SECONDS")
    )
    result = children.run(claim, command)
    result.forget()
    record = result.record
    with claim.fenced():
        Step.objects.filter(pk=step.pk).update(exit_code=record.exit_code, message=record.message[:300])
    if record.ended_by in {"wall_limit", "silence_limit"}:
        raise TimedOut(f"The command timed out: {record.message}.")
    if record.exit_code != 0:
        raise JobFailed(f"The command failed: {record.message or f'exit code {record.exit_code}'}.")


def _start(claim: Claim, step: Step) -> bool:
    """Ask the gate again in the transaction that starts; false where it has closed meanwhile."""
    deployment = step.deployment
    with claim.fenced():
        if deployment.state == DeploymentState.QUEUED:
            verdict = gates.judge(deployment.service.project)
            verdict.save(force_insert=True)
            if not verdict.go:
                DEPLOYMENT.move(
                    deployment, "refuse", reason="The gate closed before the start.", verdict=verdict, ended_at=Wall()
                )
                return False
            DEPLOYMENT.move(deployment, "start", verdict=verdict, started_at=Wall())
        STEP.move(step, "start", attempt_id=claim.attempt_id)
    return True


def settle(ending: Ending) -> None:
    """Move step and deployment with the attempt that ended; within its budget the step waits for another try."""
    step = _step(ending.payload)
    if step is None or step.deployment.state == DeploymentState.REFUSED:
        return
    if ending.outcome is Outcome.SUCCEEDED:
        STEP.move(step, "succeed")
        DEPLOYMENT.move(step.deployment, "succeed", ended_at=Wall())
        return
    if not ending.final:
        if step.state == StepState.RUNNING:
            STEP.move(step, "wait_again", reason=ending.error[:300])
        return
    said = (ending.error.strip().splitlines() or ["It ended without a word."])[-1][:300]
    if step.state in STEP.transitions["fail"].sources:
        STEP.move(step, "fail", reason=said, message=said)
    if step.deployment.state in DEPLOYMENT.transitions["fail"].sources:
        DEPLOYMENT.move(step.deployment, "fail", reason=said, ended_at=Wall())


def _step(payload: dict[str, Any]) -> Step | None:
    rows = Step.objects.select_related("deployment__service__project", "deployment__environment")
    return rows.filter(deployment_id=payload["deployment"], n=payload["step"]).first()
