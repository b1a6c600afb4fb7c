"""Pages on which owners make and change services, environments and policies."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from deployments import place_views, places, queries, rehearsals, verdicts
from deployments.fields import command_text
from deployments.intake import BadStep, StepSpec
from deployments.models import Environment, OnFailure, PipelineStep, Service, StepKind
from deployments.pipeline_forms import Pipeline
from deployments.place_forms import (
    EnvironmentSettings,
    NewEnvironmentForm,
    PolicyForm,
    ServiceForm,
)
from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import page
from portal.core.lifecycle import Refused, Stale
from tickets import history
from tickets.models import Project
from tickets.project_views import find_project
from tickets.rights import require

OWNER = within(Role.OWNER)
# What a new environment begins with, and a new service.
FRESH: dict[str, Any] = {
    "place": 0,
    "approvals_needed": 0,
    "approval_hours": 0,
    "soak_minutes": 0,
    "on_failure": OnFailure.ASK,
    "wait_hours": 72,
}
FIRST = StepSpec(StepKind.COMMAND, "Deploy", command=["./deploy"])


def _project(request: HttpRequest) -> Project:
    """The project that the address names, for its owner."""
    found = find_project(request.GET.get("project", ""))
    if found is None:
        raise Http404
    require(request.user, Role.OWNER, found.object)
    project: Project = found.object
    return project


# Services -----------------------------------------------------------------------


@page("deployments.new_service", SIGNED_IN, methods=("GET", "POST"))
def new_service(request: HttpRequest) -> HttpResponse:
    project = _project(request)
    if request.method != "POST":
        return _editor(request, project, Pipeline.of([FIRST]), form=ServiceForm())
    wish, sent = request.POST.get("do", "save"), request.POST
    if wish != "save":
        typed = ServiceForm(initial={"title": sent.get("title", "")})
        return _editor(request, project, Pipeline.sent(sent, bound=False).rearranged(wish, sent), form=typed)
    form, pipeline = ServiceForm(sent), Pipeline.sent(sent, bound=True)
    specs = pipeline.specs()
    if form.is_valid() and specs is not None:
        try:
            service = places.add_service(project, name=form.cleaned_data["title"], steps=specs)
        except IntegrityError:
            form.add_error("title", f"{project.key} has a service of this name already.")
        except BadStep as problem:
            pipeline.problem = str(problem)
        else:
            messages.success(request, f"The service {service} of {project.key} is made.")
            _warn(request, specs)
            return redirect(service)
    return _editor(request, project, pipeline, form=form, status=422)


@page("deployments.pipeline", OWNER, find=place_views.find_service, methods=("GET", "POST"))
def pipeline(request: HttpRequest, service: Service, number: int) -> HttpResponse:
    def show(rows: Pipeline, seen: object = service.version, status: int = 200, **more: Any) -> HttpResponse:
        return _editor(request, service.project, rows, service=service, seen=seen, status=status, **more)

    if request.method != "POST":
        return show(Pipeline.of(_stored(service)))
    wish, sent = request.POST.get("do", "save"), request.POST
    seen = sent.get("expected_version", "")
    if wish != "save":
        return show(Pipeline.sent(sent, bound=False).rearranged(wish, sent), seen)
    rows = Pipeline.sent(sent, bound=True)
    specs = rows.specs()
    if specs is None:
        return show(rows, seen, 422)
    if not (seen.isascii() and seen.isdecimal() and len(seen) < 10):
        rows.problem = "The form was damaged on its way. Look at the page again, then send it."
        return show(rows, service.version, 422)
    try:
        places.change_pipeline(service, expected_version=int(seen), steps=specs)
    except Refused as refusal:
        rows.problem = str(refusal)
        # It speaks of the steps that it shows now, so that sending it again is a decision.
        service.refresh_from_db()
        return show(rows, service.version, refusal.status, now=_in_words(_stored(service)))
    except BadStep as problem:
        rows.problem = str(problem)
        return show(rows, seen, 422)
    messages.success(request, f"The pipeline of {service} is saved. Releases that were made keep theirs.")
    _warn(request, specs)
    return redirect(service)


def _warn(request: HttpRequest, specs: list[StepSpec]) -> None:
    for said in rehearsals.warnings([spec.columns() for spec in specs]):
        messages.warning(request, said)


def _stored(service: Service) -> list[PipelineStep]:
    return list(PipelineStep.objects.filter(service=service).order_by("n"))


def _in_words(steps: list[PipelineStep]) -> list[tuple[str, str]]:
    return [(step.name, _does(step)) for step in steps]


def _does(step: PipelineStep) -> str:
    pause = f"{step.pause_seconds:,} s" if step.pause_seconds else ""
    return command_text(step.command) or step.url or step.instructions or pause


def _editor(
    request: HttpRequest, project: Project, rows: Pipeline, *, status: int = 200, **context: Any
) -> HttpResponse:
    shown = {"project": project, "pipeline": rows, "kinds": StepKind.choices}
    return render(request, "deployments/pipeline.html", shown | context, status=status)


# Environments -------------------------------------------------------------------


@page("deployments.new_environment", SIGNED_IN, methods=("GET", "POST"))
def new_environment(request: HttpRequest) -> HttpResponse:
    project = _project(request)
    sent = request.POST if request.method == "POST" else None
    form = NewEnvironmentForm(project, sent, initial=FRESH)
    if form.is_valid():
        title = form.cleaned_data["title"]
        try:
            environment = places.add_environment(project, name=title, **form.settings())
        except IntegrityError:
            form.add_error("title", f"{project.key} has an environment of this name already.")
        else:
            messages.success(request, f"The environment {title} of {project.key} is made.")
            return redirect(environment)
    return _settings(request, project, form, status=422 if form.errors else 200)


@page("deployments.edit_environment", OWNER, find=place_views.find_environment, methods=("GET", "POST"))
def edit_environment(request: HttpRequest, environment: Environment, number: int) -> HttpResponse:
    if request.method != "POST":
        stored = EnvironmentSettings.of(environment)
        form = EnvironmentSettings(environment.project, environment=environment, initial=stored)
        return _settings(request, environment.project, form, environment=environment, seen=environment.version)
    form = EnvironmentSettings(environment.project, request.POST, environment=environment)

    def act(asked: dict[str, Any]) -> object:
        return places.change_environment(environment, expected_version=asked["expected_version"], **form.settings())

    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, f"The settings of {environment} are saved.")
        return redirect(environment)
    shown: dict[str, Any] = {"environment": environment, "seen": request.POST.get("expected_version", "")}
    if status == Stale.status:
        environment.refresh_from_db()
        shown |= {"seen": environment.version, "now": _differing(form, environment)}
    return _settings(request, environment.project, form, status=status, **shown)


def _differing(form: EnvironmentSettings, environment: Environment) -> list[tuple[str, str]]:
    """What is there now, where that is not what was typed."""
    stored = EnvironmentSettings.of(environment)
    found = []
    for name, value in stored.items():
        if form.cleaned_data.get(name) != value:
            field = form.fields[name]
            text = _in_words_of(name, value, field)
            found.append((str(field.label), str(text)))
    return found


def _in_words_of(name: str, value: Any, field: Any) -> object:
    if name == "follows":
        return value or field.empty_label
    return OnFailure(value).label if name == "on_failure" else field.prepare_value(value)


def _settings(
    request: HttpRequest, project: Project, form: EnvironmentSettings, *, status: int = 200, **context: Any
) -> HttpResponse:
    shown = {"project": project, "form": form}
    return render(request, "deployments/environment_edit.html", shown | context, status=status)


# Policies -----------------------------------------------------------------------


@page("deployments.policy", within(Role.VIEWER), find=find_project)
def policy(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    found = queries.policy_of(project)
    stored = {name: getattr(found.in_force, name) for name in PolicyForm.base_fields if name != "expected_number"}
    return _policy(request, project, PolicyForm(initial=stored))


@page("deployments.set_policy", OWNER, find=find_project, methods=("POST",))
def set_policy(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    form = PolicyForm(request.POST)

    def act(asked: dict[str, Any]) -> object:
        return places.set_policy(project, **asked)

    status, made = form.carry_out(act)
    if status == 200:
        messages.success(request, f"{str(made).capitalize()} is in force. Each deployment that waits is judged by it.")
        return redirect(reverse("policy", args=[project.key]))
    return _policy(request, project, form, status=status)


def _policy(request: HttpRequest, project: Project, form: PolicyForm, status: int = 200) -> HttpResponse:
    found = queries.policy_of(project)
    context = {
        "project": project,
        "policy": found.in_force,
        "holds": verdicts.in_words(found.in_force),
        "versions": found.versions,
        "form": form,
        "own": verdicts.HOLDING,
        "owns": access.may(request.user, OWNER, project.scope),
        "history": history.of([project.scope]),
    }
    return render(request, "deployments/policy.html", context, status=status)
