"""Pages of deployments: parse, one call inward, answer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from deployments import (
    changes,
    deployment_page,
    forms,
    freeze_panel,
    interruptions,
    plans,
    queries,
    requesting,
    rollout,
    steering,
    step_jobs,
)
from deployments.forms import DeploymentFilter, NewDeploymentForm
from deployments.models import (
    ACTIVE_STATES,
    OPEN_STATES,
    Deployment,
    DeploymentState,
    Environment,
    Service,
    Step,
    StepState,
)
from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.live import streams
from tickets import lists, output
from tickets.fields import HIGHEST_ID, Form
from tickets.history import of as history_of
from tickets.queries import Page
from tickets.rights import require
from workers.models import Attempt, Outcome


def find_deployment(number: int) -> Found | None:
    deployment = queries.deployments().filter(pk=number).first() if number <= HIGHEST_ID else None
    return Found(deployment, deployment.service.project.scope) if deployment else None


def find_step(number: int, n: int) -> Found | None:
    rows = Step.objects.filter(deployment_id=number, n=n, attempt__isnull=False).select_related(
        "deployment__service__project"
    )
    step = rows.first() if number <= HIGHEST_ID and n < 2**15 else None
    return Found(step, step.deployment.service.project.scope) if step else None


def find_attempt(number: int, attempt: int) -> Found | None:
    found = find_deployment(number)
    if found is None or attempt > HIGHEST_ID:
        return None
    row = deployment_page.attempts_of(found.object).filter(pk=attempt).first()
    return Found(row, found.scope) if row else None


@page("deployments.list", SIGNED_IN)
def deployments(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/list.html", _list(request))


@page("deployments.list_fragment", SIGNED_IN)
def deployments_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/list_body.html", _list(request))


@page("deployments.names", SIGNED_IN)
def names(request: HttpRequest) -> HttpResponse:
    """What a filter's list offers: the names of services, or of environments."""
    places = Environment.objects.all() if request.GET.get("of") == "environment" else Service.objects.all()
    return render(request, "deployments/names.html", {"names": queries.names(request.user, places)})


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return queries.deployment_list(request.user, asked.wanted, asked.before)

    form = DeploymentFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.RELEASER, fragment="deployments_fragment")
    return asked | {"states": DeploymentState.values}


@page("deployments.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    sent = request.POST if request.method == "POST" else None
    form = NewDeploymentForm(request.user, sent, initial=request.GET.dict())
    status = 422 if form.errors else 200
    if form.is_valid():
        asked = form.cleaned_data
        require(request.user, Role.RELEASER, asked["service"].project)
        try:
            return _ask(request, asked["service"], asked["environment"], asked["asked"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
            status = refusal.status
    context = {"form": form, "services": form.fields["service"].queryset.exists()}  # type: ignore[attr-defined]
    return render(request, "deployments/new.html", context, status=status)


def _ask(request: HttpRequest, service: Service, environment: Environment, asked: str) -> HttpResponse:
    deployment = requesting.request(service, environment, asked=asked, by=request.user)  # type: ignore[arg-type]
    messages.success(request, "Asked. A worker looks the commit up and plans it, then its gate is asked.")
    return redirect(deployment)


# One deployment -----------------------------------------------------------------


@page("deployments.deployment", within(Role.VIEWER), find=find_deployment)
def deployment(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    return shown(request, deployment)


@page("deployments.deployment_fragment", within(Role.VIEWER), find=find_deployment)
def deployment_fragment(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    return render(request, "deployments/deployment_body.html", _everything(request, deployment))


@page("deployments.gate_fragment", within(Role.VIEWER), find=find_deployment)
def gate_fragment(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """What changes with the project while it waits: the gate alone."""
    cursors = streams.cursors(deployment.service.project.scope)
    context = {
        "deployment": deployment,
        "gate": deployment_page.gate(deployment),
        "releases": _releases(request, deployment),
        "live_cursors": cursors,
    }
    return render(request, "deployments/gate.html", context)


def shown(
    request: HttpRequest, deployment: Deployment, tried: Form | None = None, refusal: str = "", status: int = 200
) -> HttpResponse:
    """The page; ``tried`` is a form that was refused, with what was typed in it."""
    context = _everything(request, deployment, tried)
    return render(request, "deployments/deployment.html", context | {"refusal": refusal}, status=status)


def _everything(request: HttpRequest, deployment: Deployment, tried: Form | None = None) -> dict[str, Any]:
    scope = deployment.service.project.scope
    cursors = streams.cursors(deployment.subject, scope)
    steps = deployment_page.steps(deployment)
    written = [step.output for step in steps.all if step.output]
    approvals = deployment_page.approvals_of(deployment, request.user)  # type: ignore[arg-type]
    return {
        "deployment": deployment,
        "gate": deployment_page.gate(deployment),
        "approvals": approvals,
        "freezes": freeze_panel.of(deployment, request.user),  # type: ignore[arg-type]
        "steps": steps,
        "changes": changes.of(deployment),
        "later": queries.later(deployment),
        "releases": _releases(request, deployment),
        "ended": deployment.state not in {*OPEN_STATES, *ACTIVE_STATES},
        "history": history_of(deployment_page.subjects(deployment, approvals.given)),
        "live_cursors": cursors | {stream: at for each in written for stream, at in each.cursors.items()},
        **_ways(request, deployment, tried),
    }


def _ways(request: HttpRequest, deployment: Deployment, tried: Form | None) -> dict[str, Any]:
    """What can be done now: the forms, the choices of an interruption, the step that may be stopped, the way back."""
    interruption = interruptions.open_of(deployment)
    offered = forms.of_deployment(deployment, interruption)
    if (override := freeze_panel.form_of(deployment)) is not None:
        offered[override.name] = override
    if tried is not None and tried.name in offered:
        offered[tried.name] = tried
    job = step_jobs.live(deployment) if deployment.state in ACTIVE_STATES else None
    back = rollout.can_go_back(deployment)
    return {
        "forms": {name.replace("-", "_"): form for name, form in offered.items()},
        # what was asked for has no place on the page any more; what was typed is not lost with it
        "tried": tried,
        "lost": tried if tried is not None and tried.name not in offered else None,
        "interruption": interruption,
        "choices": deployment_page.choices(deployment, interruption),
        "job": job,
        "running_step": job.payload.get("step") if job else None,
        "can_go_back": back,
        "pausing": steering.pausing(deployment),
        "waivers": deployment_page.waivers_of(deployment, request.user),  # type: ignore[arg-type]
        "rolls_back": back and deployment.state == DeploymentState.SUCCEEDED and rollout.stands_there(deployment),
        "stays_done": plans.cannot_be_undone(deployment.release) if deployment.release else [],
    }


def _releases(request: HttpRequest, deployment: Deployment) -> bool:
    return access.may(request.user, within(Role.RELEASER), deployment.service.project.scope)


@page("deployments.again", within(Role.RELEASER), find=find_deployment, methods=("POST",))
def again(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """A new request for the same service, environment and commit: the gate judges anew."""
    try:
        return _ask(request, deployment.service, deployment.environment, deployment.commit or deployment.asked)
    except Refused as refusal:
        return shown(request, deployment, refusal=str(refusal), status=refusal.status)


@page("deployments.step_output", within(Role.VIEWER), find=find_step)
def step_output(request: HttpRequest, step: Step, number: int, n: int) -> HttpResponse:
    return output.as_text(step.attempt_id or 0, f"deployment-{number}-step-{n}.txt")


@page("deployments.step_output_fragment", within(Role.VIEWER), find=find_step)
def step_output_fragment(request: HttpRequest, step: Step, number: int, n: int) -> HttpResponse:
    return output.fragment(request, step.attempt_id or 0, running=step.state == StepState.RUNNING, name=n)


@page("deployments.attempt_output", within(Role.VIEWER), find=find_attempt)
def attempt_output(request: HttpRequest, found: Attempt, number: int, attempt: int) -> HttpResponse:
    """What an earlier go at a step wrote."""
    kept = "so-far" if found.outcome == Outcome.RUNNING else found.outcome
    return output.as_text(found.pk, f"deployment-{number}-attempt-{attempt}-{kept}.txt")
