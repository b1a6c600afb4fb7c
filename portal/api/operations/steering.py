"""What is done to a deployment: approved, looked at again, cancelled, stopped, answered, taken back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from django.http import HttpRequest
from ninja import Field
from pydantic import StrictInt

from deployments import approvals, interruptions, requesting, steering, waiving
from deployments.forms import REASON_CHARS
from deployments.models import Choice, Deployment, DeploymentState, Interruption
from portal.api.doors import Unfit, operation
from portal.api.operations.deployments import DeploymentOut, Why, WhyIn, find_deployment, shown
from portal.api.shapes import ID, Strict, Versioned, bounded
from portal.core.access import Role, within
from portal.core.models import User

Place = Annotated[StrictInt, Field(ge=1, le=2**15 - 1)]


class ApproveIn(Strict):
    plan_digest: str = Field(max_length=64)
    reason: str = ""


class ReasonIn(Strict):
    reason: str = ""


class StopIn(Strict):
    step: Place
    reason: Why


class WaiveIn(Strict):
    kind: Literal["rehearsal", "one_way"]
    plan_digest: str = Field(max_length=64)
    reason: Why


class TakeIn(Versioned):
    interruption: ID


class AnswerIn(Strict):
    interruption: ID
    choice: str = Field(max_length=10)
    reason: str = ""


@operation(
    "post",
    "/deployments/{int:number}/approve",
    "api.deployment.approve",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def approve(request: HttpRequest, number: int, body: ApproveIn) -> dict[str, Any]:
    """Say yes to the plan of that digest; never by who asked for the deployment."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    approvals.approve(row, by=cast(User, request.user), plan_digest=body.plan_digest, reason=_reason(body.reason))
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/withdraw",
    "api.deployment.withdraw",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def withdraw(request: HttpRequest, number: int, body: ReasonIn) -> dict[str, Any]:
    """Take one's own approval back."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    steering.withdraw(row, by=cast(User, request.user), reason=_reason(body.reason))
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/look_again",
    "api.deployment.look_again",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def look_again(request: HttpRequest, number: int) -> dict[str, Any]:
    """Ask its gate now, not with the clock's next tick."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    if row.state == DeploymentState.WAITING:
        requesting.look_again(row)
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/cancel",
    "api.deployment.cancel",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def cancel(request: HttpRequest, number: int, body: WhyIn) -> dict[str, Any]:
    """End one that has not started."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    return shown(requesting.cancel(row, expected_version=body.version, reason=body.reason))


@operation(
    "post",
    "/deployments/{int:number}/stop",
    "api.deployment.stop",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def stop(request: HttpRequest, number: int, body: StopIn) -> dict[str, Any]:
    """End the step of that number; then the deployment asks a person how it goes on."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    steering.stop(row, step=body.step, reason=body.reason)
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/end_wait",
    "api.deployment.end_wait",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def end_wait(request: HttpRequest, number: int, body: StopIn) -> dict[str, Any]:
    """End the pause of the step of that number; what comes after it comes now."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    return shown(steering.end_wait(row, step=body.step, reason=body.reason))


@operation(
    "post",
    "/deployments/{int:number}/waive",
    "api.deployment.waive",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def waive(request: HttpRequest, number: int, body: WaiveIn) -> dict[str, Any]:
    """Let the migrations of the plan of that digest go as they are; never by who asked for the deployment."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    by = cast(User, request.user)
    waiving.waive(row, body.kind, by=by, plan_digest=body.plan_digest, reason=body.reason)
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/take",
    "api.deployment.take",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def take(request: HttpRequest, number: int, body: TakeIn) -> dict[str, Any]:
    """Have an interruption in hand, also in the place of somebody else: nobody else answers it then."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    found = _interruption(row, body.interruption)
    interruptions.take(found, by=cast(User, request.user), expected_version=body.version)
    return shown(row)


@operation(
    "post",
    "/deployments/{int:number}/answer",
    "api.deployment.answer",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def answer(request: HttpRequest, number: int, body: AnswerIn) -> dict[str, Any]:
    """Say how an interrupted deployment goes on, once."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    if body.choice not in Choice.values:
        raise Unfit("choice", f"choice is one of: {', '.join(Choice.values)}.")
    found = _interruption(row, body.interruption)
    interruptions.answer(found, body.choice, by=cast(User, request.user), reason=_reason(body.reason))
    return shown(row)


def _interruption(row: Deployment, number: int) -> Interruption:
    rows = Interruption.objects.select_related(
        "step", "deployment__service__project", "deployment__environment", "deployment__release__service"
    )
    found = rows.filter(deployment=row, pk=number).first()
    if found is None:
        raise Unfit("interruption", f"Deployment {row.pk} has no interruption {number}.", 422)
    return found


@operation(
    "post",
    "/deployments/{int:number}/roll_back",
    "api.deployment.roll_back",
    within(Role.RELEASER),
    find=find_deployment,
    response=DeploymentOut,
)
def roll_back(request: HttpRequest, number: int, body: WhyIn) -> dict[str, Any]:
    """Take back what succeeded and still stands there, as it was planned; its release is held."""
    row: Deployment = request.found  # type: ignore[attr-defined]
    return shown(steering.roll_back(row, expected_version=body.version, reason=body.reason))


def _reason(text: str) -> str:
    """A reason may be left out; one that is given can be read."""
    return bounded("reason", text, REASON_CHARS, required=bool(text))
