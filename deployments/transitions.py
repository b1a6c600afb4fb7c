"""What a deployment, a step, an interruption, an approval, a hold and a freeze may do: one table each."""

from __future__ import annotations

from deployments.models import (
    Approval,
    ApprovalState,
    Deployment,
    DeploymentState,
    Freeze,
    FreezeState,
    Hold,
    HoldState,
    Interruption,
    InterruptionState,
    Step,
    StepState,
    Telling,
    TellingState,
    Webhook,
    WebhookState,
)
from portal.core.lifecycle import Lifecycle, transition

_D = DeploymentState
DEPLOYMENT: Lifecycle[Deployment] = Lifecycle(
    "deployment",
    DeploymentState,
    [
        transition("wait", [_D.PREPARING], _D.WAITING),
        transition("open", [_D.WAITING], _D.QUEUED),
        # the gate closed again before the first step
        transition("close", [_D.QUEUED], _D.WAITING),
        transition("start", [_D.QUEUED], _D.RUNNING),
        transition("interrupt", [_D.RUNNING, _D.ROLLING_BACK], _D.INTERRUPTED),
        transition("go_on", [_D.INTERRUPTED], _D.RUNNING),
        transition("go_on_back", [_D.INTERRUPTED], _D.ROLLING_BACK),
        transition("succeed", [_D.RUNNING], _D.SUCCEEDED),
        transition("fail", [_D.RUNNING, _D.INTERRUPTED], _D.FAILED),
        transition("roll_back", [_D.RUNNING, _D.INTERRUPTED, _D.SUCCEEDED], _D.ROLLING_BACK, "Roll back"),
        transition("come_back", [_D.ROLLING_BACK], _D.ROLLED_BACK),
        transition("refuse", [_D.PREPARING, _D.WAITING, _D.QUEUED], _D.REFUSED),
        transition("cancel", [_D.PREPARING, _D.WAITING, _D.QUEUED], _D.CANCELLED, "Cancel"),
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
        transition("ask", [_S.WAITING], _S.NEEDS_PERSON),
        transition("confirm", [_S.NEEDS_PERSON], _S.SUCCEEDED),
        transition("succeed", [_S.RUNNING], _S.SUCCEEDED),
        # the pause of a wait step, by a person
        transition("end_early", [_S.RUNNING, _S.WAITING], _S.SUCCEEDED),
        transition("fail", [_S.WAITING, _S.RUNNING, _S.NEEDS_PERSON], _S.FAILED),
        transition("try_again", [_S.FAILED], _S.WAITING),
        transition("skip", [_S.WAITING, _S.FAILED, _S.NEEDS_PERSON], _S.SKIPPED),
    ],
    subject=lambda step: f"step:{step.deployment_id}/{step.n}",
    streams=lambda step: (step.deployment.subject,),
)

INTERRUPTION: Lifecycle[Interruption] = Lifecycle(
    "interruption",
    InterruptionState,
    [transition("answer", [InterruptionState.OPEN], InterruptionState.ANSWERED, "Answer")],
    subject=lambda interruption: interruption.subject,
    streams=lambda interruption: (interruption.deployment.subject,),
)

APPROVAL: Lifecycle[Approval] = Lifecycle(
    "approval",
    ApprovalState,
    [transition("withdraw", [ApprovalState.GIVEN], ApprovalState.WITHDRAWN, "Withdraw")],
    subject=lambda approval: f"approval:{approval.pk}",
    streams=lambda approval: (approval.deployment.subject,),
)

HOLD: Lifecycle[Hold] = Lifecycle(
    "hold",
    HoldState,
    [transition("lift", [HoldState.HOLDING], HoldState.LIFTED, "Lift")],
    subject=lambda hold: hold.subject,
    streams=lambda hold: (f"project:{(hold.environment or hold.release.service).project_id}",),  # type: ignore[union-attr]
)

FREEZE: Lifecycle[Freeze] = Lifecycle(
    "freeze",
    FreezeState,
    [transition("lift", [FreezeState.PLANNED], FreezeState.LIFTED, "Lift")],
    subject=lambda freeze: freeze.subject,
    streams=lambda freeze: (f"project:{freeze.project_id}",),
)

WEBHOOK: Lifecycle[Webhook] = Lifecycle(
    "webhook",
    WebhookState,
    [
        transition("switch_off", [WebhookState.ON], WebhookState.OFF, "Switch off"),
        transition("switch_on", [WebhookState.OFF], WebhookState.ON, "Switch on"),
    ],
    subject=lambda webhook: webhook.subject,
    streams=lambda webhook: (f"project:{webhook.project_id}",),
)

TELLING: Lifecycle[Telling] = Lifecycle(
    "telling",
    TellingState,
    [
        transition("deliver", [TellingState.WAITING], TellingState.DELIVERED),
        transition("fail", [TellingState.WAITING], TellingState.FAILED),
        transition("send_again", [TellingState.DELIVERED, TellingState.FAILED], TellingState.WAITING, "Send again"),
    ],
    subject=lambda telling: telling.subject,
    streams=lambda telling: (f"project:{telling.webhook.project_id}",),
)
