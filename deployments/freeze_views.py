"""Pages of freezes: the calendar, planning and lifting one, and overriding one for a deployment."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from deployments import freeze_calendar, freezes, overriding, queries, views
from deployments.freeze_forms import FreezeForm, LiftFreezeForm, OverrideForm
from deployments.models import Deployment, Freeze, FreezeState
from deployments.place_views import MatrixFilter
from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from tickets import history, lists
from tickets.fields import HIGHEST_ID, Form
from tickets.models import Project
from tickets.project_views import find_project
from tickets.queries import projects_of
from tickets.rights import projects_with

OWNER: Final = within(Role.OWNER)


def find_freeze(number: int) -> Found | None:
    rows = Freeze.objects.select_related("project", "environment").filter(pk=number)
    freeze = rows.first() if number <= HIGHEST_ID else None
    return Found(freeze, freeze.project.scope) if freeze else None


@page("deployments.calendar", SIGNED_IN)
def calendar(request: HttpRequest) -> HttpResponse:
    form = MatrixFilter(request.GET)
    wanted = lists.wanted_of(form)["project"]
    projects = projects_of(request.user)
    chosen = [project for project in projects if not wanted or project.key == wanted]
    owned = set(projects_with(request.user, Role.OWNER).values_list("pk", flat=True))
    context = {
        "form": form,
        "wanted": wanted,
        "projects": projects,
        "calendar": freeze_calendar.of(chosen),
        "owned": owned,
        "left_out": max(len(chosen) - freeze_calendar.PROJECTS_SHOWN, 0),
        "most": freeze_calendar.PROJECTS_SHOWN,
        "planned": FreezeState.PLANNED,
    }
    return render(request, "deployments/calendar.html", context)


@page("deployments.new_freeze", OWNER, find=find_project, methods=("GET", "POST"))
def new(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    if request.method != "POST":
        wished = {"time_zone": "UTC", "environment": request.GET.get("environment", "")}
        return _form(request, project, FreezeForm(project, initial=wished))
    form = FreezeForm(project, request.POST)
    status, made = form.carry_out(lambda asked: freezes.plan(project, **asked))
    if made is not None:
        messages.success(request, f"{made.frozen.capitalize()} is frozen then. Deployments that have begun go on.")
        return redirect(made)
    return _form(request, project, form, status)


def _form(request: HttpRequest, project: Project, form: FreezeForm, status: int = 200) -> HttpResponse:
    return render(request, "deployments/freeze_new.html", {"project": project, "form": form}, status=status)


# One freeze -----------------------------------------------------------------------


@page("deployments.freeze", within(Role.VIEWER), find=find_freeze)
def freeze(request: HttpRequest, freeze: Freeze, number: int) -> HttpResponse:
    return _freeze(request, freeze)


def _freeze(request: HttpRequest, freeze: Freeze, tried: Form | None = None, status: int = 200) -> HttpResponse:
    planned = freeze.state == FreezeState.PLANNED
    context: dict[str, Any] = {
        "freeze": freeze,
        "project": freeze.project,
        "planned": planned,
        "next": freeze_calendar.next_of(freeze) if planned else [],
        "overrides": queries.bounded(
            freeze.overrides.select_related("deployment__service", "deployment__environment").order_by("-pk")
        ),
        "form": tried or LiftFreezeForm(),
        "lost": tried if tried is not None and not planned else None,
        "owns": access.may(request.user, OWNER, freeze.project.scope),
        "history": history.of([freeze.subject]),
    }
    return render(request, "deployments/freeze.html", context, status=status)


@page("deployments.lift_freeze", OWNER, find=find_freeze, methods=("POST",))
def lift(request: HttpRequest, freeze: Freeze, number: int) -> HttpResponse:
    form = LiftFreezeForm(request.POST)
    status, _ = form.carry_out(lambda asked: freezes.lift(freeze, **asked))
    if status == 200:
        messages.success(request, "The freeze is lifted.")
        return redirect(freeze)
    freeze.refresh_from_db()
    return _freeze(request, freeze, form, status)


# Overriding one -------------------------------------------------------------------


@page("deployments.override", OWNER, find=views.find_deployment, methods=("POST",))
def override(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> object:
        return overriding.override(deployment, asked.pop("freeze"), by=request.user, **asked)  # type: ignore[arg-type]

    form = OverrideForm(deployment, request.POST)
    if not form.fields["freeze"].choices:  # type: ignore[attr-defined]
        return _nothing_keeps_it(request, deployment, form)
    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, "The freeze is overridden for this deployment and its plan.")
        return redirect(deployment)
    return views.shown(request, queries.deployments().get(pk=deployment.pk), form, status=status)


def _nothing_keeps_it(request: HttpRequest, deployment: Deployment, form: OverrideForm) -> HttpResponse:
    said = overriding.why_not(deployment, request.user) or "No freeze keeps it."  # type: ignore[arg-type]
    return views.shown(request, deployment, form, refusal=said, status=Refused.status)
