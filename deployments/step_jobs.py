"""The jobs of a deployment: what they are called, and how one is queued."""

from __future__ import annotations

from typing import Final

from deployments.models import Deployment, Phase, Step, StepState
from workers import queue
from workers.models import LIVE_STATES, Job

PREPARE_KIND: Final = "deployment.prepare"
STEP_KIND: Final = "deployment.step"


def prepare(deployment: Deployment) -> Job:
    return _enqueue(PREPARE_KIND, deployment, {"deployment": deployment.pk}, deployment.subject)


def first(deployment: Deployment) -> None:
    """Queue the first step of a deployment whose gate has just opened."""
    step = (
        Step.objects.filter(deployment=deployment, phase=Phase.FORWARD, state=StepState.WAITING).order_by("n").first()
    )
    if step is not None:
        step.deployment = deployment
        enqueue(step)


def enqueue(step: Step, *, delay_seconds: float = 0) -> Job:
    """Once for each time that the step's turn comes: the deployment's version is another then.

    With ``delay_seconds`` its turn comes later, and no worker is held until then.
    """
    deployment = step.deployment
    key = f"{deployment.subject}/{step.n}/{deployment.version}"
    return _enqueue(STEP_KIND, deployment, {"deployment": deployment.pk, "step": step.n}, key, delay_seconds)


def live(deployment: Deployment) -> Job | None:
    """The job of the step that waits for a worker or runs."""
    return Job.objects.filter(kind=STEP_KIND, subject=deployment.subject, state__in=LIVE_STATES).first()


def _enqueue(kind: str, deployment: Deployment, payload: dict[str, int], key: str, delay_seconds: float = 0) -> Job:
    return queue.enqueue(
        kind,
        subject=deployment.subject,
        payload=payload,
        unique_key=key,
        exclusive=True,
        audience=deployment.service.project.scope,
        delay_seconds=delay_seconds,
    )
