"""What people do to a deployment on its page: parse, one call inward, back to the page with the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from deployments import approvals, interruptions, queries, requesting, steering, views, waiving
from deployments.forms import (
    AnswerForm,
    ApproveForm,
    CancelForm,
    EndWaitForm,
    RollBackForm,
    StopForm,
    TakeForm,
    WaiveForm,
)
from deployments.models import Approval, Choice, Deployment, DeploymentState, Interruption
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.core.models import User
from tickets.fields import HIGHEST_ID, Form

RELEASER: Final = within(Role.RELEASER)
SAID: Final[dict[str, str]] = {
    Choice.DONE: "The step is done: it goes on.",
    Choice.RETRY: "The step is tried again.",
    Choice.SKIP: "The step is skipped: it goes on.",
    Choice.FAIL: "It has ended as failed.",
    Choice.ROLL_BACK: "It goes back.",
}


def _act(
    request: HttpRequest, deployment: Deployment, form: Form, act: Callable[[dict[str, Any]], object], said: str
) -> HttpResponse:
    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, said)
        return redirect(deployment)
    return views.shown(request, queries.deployments().get(pk=deployment.pk), form, status=status)


def _do(request: HttpRequest, deployment: Deployment, act: Callable[[], object], said: str) -> HttpResponse:
    """What takes a click alone."""
    try:
        act()
    except Refused as refusal:
        now = queries.deployments().get(pk=deployment.pk)
        return views.shown(request, now, refusal=str(refusal), status=refusal.status)
    messages.success(request, said)
    return redirect(deployment)


# At the gate ----------------------------------------------------------------------


@page("deployments.look", RELEASER, find=views.find_deployment, methods=("POST",))
def look(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """Ask the gate again, now and not with the next tick."""

    def act() -> None:
        if deployment.state != DeploymentState.WAITING:
            raise Refused(f"It is {deployment.get_state_display().lower()}: its gate is not asked now.")
        requesting.look_again(deployment)

    return _do(request, deployment, act, "The gate was asked again.")


@page("deployments.approve", RELEASER, find=views.find_deployment, methods=("POST",))
def approve(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> object:
        return approvals.approve(
            deployment,
            by=request.user,  # type: ignore[arg-type]
            plan_digest=asked["plan_digest"],
            reason=asked["reason"],
        )

    return _act(request, deployment, ApproveForm(request.POST), act, "You have approved this plan.")


def find_approval(number: int, approval: int) -> Found | None:
    found = views.find_deployment(number)
    if found is None or approval > HIGHEST_ID:
        return None
    row = Approval.objects.filter(pk=approval, deployment=found.object).first()
    if row is None:
        return None
    row.deployment = found.object
    return Found(row, found.scope)


@page("deployments.withdraw", RELEASER, find=find_approval, methods=("POST",))
def withdraw(request: HttpRequest, found: Approval, number: int, approval: int) -> HttpResponse:
    def act() -> object:
        return approvals.withdraw(found, by=request.user)  # type: ignore[arg-type]

    return _do(request, found.deployment, act, "Your approval is withdrawn.")


@page("deployments.waive", RELEASER, find=views.find_deployment, methods=("POST",))
def waive(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """Let the migrations of this plan go as they are."""

    def act(asked: dict[str, Any]) -> object:
        return waiving.waive(
            deployment,
            asked["kind"],
            by=request.user,  # type: ignore[arg-type]
            plan_digest=asked["plan_digest"],
            reason=asked["reason"],
        )

    return _act(request, deployment, WaiveForm(request.POST), act, "It is waived for this plan.")


@page("deployments.cancel", RELEASER, find=views.find_deployment, methods=("POST",))
def cancel(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> object:
        return requesting.cancel(deployment, expected_version=asked["expected_version"], reason=asked["reason"])

    return _act(request, deployment, CancelForm(request.POST), act, "It is cancelled: nothing was started.")


# On its way -----------------------------------------------------------------------


@page("deployments.stop", RELEASER, find=views.find_deployment, methods=("POST",))
def stop(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """End the step that the person saw running; then a person says how it goes on."""

    def act(asked: dict[str, Any]) -> object:
        return steering.stop(deployment, step=asked["step"], reason=asked["reason"])

    return _act(request, deployment, StopForm(request.POST), act, "The step is told to stop.")


@page("deployments.end_wait", RELEASER, find=views.find_deployment, methods=("POST",))
def end_wait(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """End the pause that the person saw; what comes after it comes now."""

    def act(asked: dict[str, Any]) -> object:
        return steering.end_wait(deployment, step=asked["step"], reason=asked["reason"])

    return _act(request, deployment, EndWaitForm(request.POST), act, "The pause is over: it goes on.")


def find_interruption(number: int, interruption: int) -> Found | None:
    found = views.find_deployment(number)
    if found is None or interruption > HIGHEST_ID:
        return None
    row = Interruption.objects.filter(pk=interruption, deployment=found.object).select_related("step").first()
    if row is None:
        return None
    row.deployment = found.object
    return Found(row, found.scope)


@page("deployments.take", RELEASER, find=find_interruption, methods=("POST",))
def take(request: HttpRequest, found: Interruption, number: int, interruption: int) -> HttpResponse:
    """Have it in hand; whoever had it before is named on the page that was seen."""

    def act(asked: dict[str, Any]) -> object:
        by: User = request.user  # type: ignore[assignment]
        return interruptions.take(found, by=by, expected_version=asked["expected_version"])

    return _act(request, found.deployment, TakeForm(request.POST), act, "You have it in hand.")


@page("deployments.answer", RELEASER, find=find_interruption, methods=("POST",))
def answer(request: HttpRequest, found: Interruption, number: int, interruption: int) -> HttpResponse:
    """The interruption is named by its address: an answer to an earlier one is none to this."""

    def act(asked: dict[str, Any]) -> object:
        return interruptions.answer(
            found,
            asked["choice"],
            by=request.user,  # type: ignore[arg-type]
            reason=asked["reason"],
        )

    form = AnswerForm(request.POST)
    said = SAID.get(request.POST.get("choice", ""), "")
    return _act(request, found.deployment, form, act, said)


@page("deployments.roll_back", RELEASER, find=views.find_deployment, methods=("POST",))
def roll_back(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """Bring back what stood there before; one that is on its way goes back by the answer to its interruption."""

    def act(asked: dict[str, Any]) -> object:
        return steering.roll_back(deployment, **asked)

    return _act(request, deployment, RollBackForm(request.POST), act, "It goes back.")
