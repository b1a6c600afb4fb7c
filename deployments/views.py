"""Pages of deployments, services and environments: parse, one call inward, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from deployments import places, queries, rollout
from deployments.forms import DeploymentFilter, EnvironmentForm, Named, NewDeploymentForm, ServiceForm
from deployments.models import Deployment, DeploymentState, Environment, Service, Step, StepState
from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.live import streams
from tickets import lists, output
from tickets.history import of as history_of
from tickets.models import Project
from tickets.project_views import find_project
from tickets.queries import Page
from tickets.rights import require


def find_deployment(number: int) -> Found | None:
    rows = Deployment.objects.select_related("service__project", "environment", "verdict")
    deployment = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(deployment, deployment.service.project.scope) if deployment else None


def find_step(number: int, n: int) -> Found | None:
    rows = Step.objects.filter(deployment_id=number, n=n, attempt__isnull=False).select_related(
        "deployment__service__project"
    )
    step = rows.first() if number < 2**63 and n < 2**15 else None
    return Found(step, step.deployment.service.project.scope) if step else None


@page("deployments.list", SIGNED_IN)
def deployments(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/list.html", _list(request))


@page("deployments.list_fragment", SIGNED_IN)
def deployments_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return queries.deployment_list(request.user, before=asked.before, **asked.wanted)

    form = DeploymentFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.RELEASER, fragment="deployments_fragment")
    return asked | {"states": DeploymentState.values}


@page("deployments.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    form = (
        NewDeploymentForm(request.user, request.POST) if request.method == "POST" else NewDeploymentForm(request.user)
    )
    status = 422 if form.errors else 200
    if form.is_valid():
        asked = form.cleaned_data
        require(request.user, Role.RELEASER, asked["service"].project)
        try:
            return _ask(request, asked["service"], asked["environment"], asked["commit"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
            status = refusal.status
    context = {"form": form, "services": form.fields["service"].queryset.exists()}  # type: ignore[attr-defined]
    return render(request, "deployments/new.html", context, status=status)


def _ask(request: HttpRequest, service: Service, environment: Environment, commit: str) -> HttpResponse:
    deployment = rollout.request(service, environment, commit=commit)
    if deployment.state == DeploymentState.REFUSED:
        messages.warning(request, f"The gate refused: {deployment.verdict}.")
    else:
        messages.success(request, "The gate is open: the deployment waits for a worker.")
    return redirect(deployment)


# One deployment -----------------------------------------------------------------


@page("deployments.deployment", within(Role.VIEWER), find=find_deployment)
def deployment(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    return render(request, "deployments/deployment.html", _everything(request, deployment))


@page("deployments.deployment_fragment", within(Role.VIEWER), find=find_deployment)
def deployment_fragment(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    return render(request, "deployments/deployment_body.html", _everything(request, deployment))


def _everything(request: HttpRequest, deployment: Deployment, refusal: str = "") -> dict[str, Any]:
    cursors = streams.cursors(deployment.subject)
    shown = queries.steps(deployment)
    written = [step.output for step in shown if step.output]
    scope = deployment.service.project.scope
    return {
        "deployment": deployment,
        "gate": queries.gate(deployment),
        "steps": shown,
        "later": queries.later(deployment),
        "requester": queries.requester(deployment),
        "releases": access.may(request.user, within(Role.RELEASER), scope),
        "refusal": refusal,
        "history": history_of([deployment.subject, *(f"step:{deployment.pk}/{step.step.n}" for step in shown)]),
        "live_cursors": cursors | {stream: at for each in written for stream, at in each.cursors.items()},
    }


@page("deployments.again", within(Role.RELEASER), find=find_deployment, methods=("POST",))
def again(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    """A new request for the same service, environment and commit: the gate judges anew."""
    try:
        return _ask(request, deployment.service, deployment.environment, deployment.commit)
    except Refused as refusal:
        return render(
            request, "deployments/deployment.html", _everything(request, deployment, str(refusal)), status=409
        )


@page("deployments.step_output", within(Role.VIEWER), find=find_step)
def step_output(request: HttpRequest, step: Step, number: int, n: int) -> HttpResponse:
    return output.as_text(step.attempt_id or 0, f"deployment-{number}-step-{n}.txt")


@page("deployments.step_output_fragment", within(Role.VIEWER), find=find_step)
def step_output_fragment(request: HttpRequest, step: Step, number: int, n: int) -> HttpResponse:
    return output.fragment(request, step.attempt_id or 0, running=step.state == StepState.RUNNING, name=n)


# Services and environments --------------------------------------------------------


@page("deployments.new_service", SIGNED_IN, methods=("GET", "POST"))
def new_service(request: HttpRequest) -> HttpResponse:
    project = _project(request)
    form = ServiceForm(request.POST) if request.method == "POST" else ServiceForm()

    def add(asked: dict[str, Any]) -> object:
        return places.add_service(project, name=asked["title"], command=asked["command"])

    return _add(request, project, form, add, "service")


@page("deployments.new_environment", SIGNED_IN, methods=("GET", "POST"))
def new_environment(request: HttpRequest) -> HttpResponse:
    project = _project(request)
    form = EnvironmentForm(request.POST) if request.method == "POST" else EnvironmentForm()

    def add(asked: dict[str, Any]) -> object:
        return places.add_environment(project, name=asked["title"])

    return _add(request, project, form, add, "environment")


def _project(request: HttpRequest) -> Project:
    """The project that the address names, for its owner."""
    found = find_project(request.GET.get("project", ""))
    if found is None:
        raise Http404
    require(request.user, Role.OWNER, found.object)
    project: Project = found.object
    return project


def _add(
    request: HttpRequest, project: Project, form: Named, add: Callable[[dict[str, Any]], object], kind: str
) -> HttpResponse:
    if form.is_valid():
        try:
            add(form.cleaned_data)
        except IntegrityError:
            form.add_error(
                "title", f"{project.key} has {'an' if kind == 'environment' else 'a'} {kind} of this name already."
            )
        else:
            messages.success(request, f"The {kind} {form.cleaned_data['title']} of {project.key} is made.")
            return redirect("project", project.key)
    # it is made on the project's page, and leads back to it
    context = {"form": form, "project": project, "kind": kind, "place": reverse("projects")}
    return render(request, "deployments/place.html", context, status=422 if form.errors else 200)
