"""What ships, where to, what holds it, and what became of it."""

from deployments.models.deployments import (
    ACTIVE_STATES,
    ENDED_STATES,
    OPEN_STATES,
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
from deployments.models.gates import Approval, ApprovalState, Hold, HoldState, Policy, Verdict
from deployments.models.places import Environment, OnFailure, PipelineStep, Service, StepKind

__all__ = [
    "ACTIVE_STATES",
    "ENDED_STATES",
    "OPEN_STATES",
    "Approval",
    "ApprovalState",
    "Choice",
    "Deployment",
    "DeploymentState",
    "Environment",
    "HealthCheck",
    "Hold",
    "HoldState",
    "Interruption",
    "InterruptionState",
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
    "Verdict",
]
