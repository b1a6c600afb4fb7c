"""What ships, where to, what holds it, and what became of it."""

from deployments.models.dependencies import Dependency
from deployments.models.deployments import (
    ACTIVE_STATES,
    ENDED_STATES,
    OPEN_STATES,
    Asks,
    Choice,
    Deployment,
    DeploymentState,
    HealthCheck,
    Interruption,
    InterruptionState,
    Phase,
    Placement,
    Release,
    Step,
    StepState,
)
from deployments.models.freezes import Freeze, FreezeOverride, FreezeState
from deployments.models.gates import Approval, ApprovalState, Hold, HoldState, Policy, Verdict
from deployments.models.places import Environment, Method, OnFailure, PipelineStep, Service, StepKind
from deployments.models.seen import Observation, Structure, When
from deployments.models.waivers import Waiver, WaiverKind
from deployments.models.webhooks import Telling, TellingState, Webhook, WebhookState

__all__ = [
    "ACTIVE_STATES",
    "Approval",
    "ApprovalState",
    "Asks",
    "Choice",
    "Dependency",
    "Deployment",
    "DeploymentState",
    "ENDED_STATES",
    "Environment",
    "Freeze",
    "FreezeOverride",
    "FreezeState",
    "HealthCheck",
    "Hold",
    "HoldState",
    "Interruption",
    "InterruptionState",
    "Method",
    "OPEN_STATES",
    "Observation",
    "OnFailure",
    "Phase",
    "PipelineStep",
    "Placement",
    "Policy",
    "Release",
    "Service",
    "Step",
    "StepKind",
    "StepState",
    "Structure",
    "Telling",
    "TellingState",
    "Verdict",
    "Waiver",
    "WaiverKind",
    "Webhook",
    "WebhookState",
    "When",
]
