"""What a deployment and a step may do: one table each."""

from __future__ import annotations

from deployments.models import Deployment, DeploymentState, Step, StepState
from portal.core.lifecycle import Lifecycle, transition

_D = DeploymentState
DEPLOYMENT: Lifecycle[Deployment] = Lifecycle(
    "deployment",
    DeploymentState,
    [
        transition("start", [_D.QUEUED], _D.RUNNING),
        transition("refuse", [_D.QUEUED], _D.REFUSED),
        transition("succeed", [_D.RUNNING], _D.SUCCEEDED),
        transition("fail", [_D.QUEUED, _D.RUNNING], _D.FAILED),
    ],
    subject=lambda deployment: deployment.subject,
    streams=lambda deployment: (deployment.subject, f"project:{deployment.service.project_id}"),
)

_S = StepState
STEP: Lifecycle[Step] = Lifecycle(
    "step",
    StepState,
    [
        transition("start", [_S.WAITING], _S.RUNNING),
        transition("wait_again", [_S.RUNNING], _S.WAITING),
        transition("succeed", [_S.RUNNING], _S.SUCCEEDED),
        transition("fail", [_S.WAITING, _S.RUNNING], _S.FAILED),
    ],
    subject=lambda step: f"step:{step.deployment_id}/{step.n}",
    streams=lambda step: (step.deployment.subject,),
)
