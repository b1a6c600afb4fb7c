"""Pages of places: what stands where, environments, services, releases, and what holds them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import Context
from django.urls import reverse

from deployments import freezes, holds, matrix, plans, queries, release_page, releases
from deployments.fields import command_text
from deployments.forms import HoldForm, LiftForm
from deployments.models import Environment, Hold, HoldState, Release, Service
from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.live import streams
from portal.live.templatetags.live import live
from tickets import history, lists
from tickets.fields import HIGHEST_ID, Form, Words
from tickets.models import Project
from tickets.queries import followed, projects_of

VIEWER, RELEASER = within(Role.VIEWER), within(Role.RELEASER)


def find_environment(number: int) -> Found | None:
    rows = Environment.objects.select_related("project", "follows").filter(pk=number)
    return _found(rows.first() if number <= HIGHEST_ID else None)


def find_service(number: int) -> Found | None:
    rows = Service.objects.select_related("project").filter(pk=number)
    return _found(rows.first() if number <= HIGHEST_ID else None)


def _found(place: Environment | Service | None) -> Found | None:
    return Found(place, place.project.scope) if place else None


def find_release(number: int) -> Found | None:
    rows = Release.objects.select_related("service__project").filter(pk=number)
    release = rows.first() if number <= HIGHEST_ID else None
    return Found(release, release.service.project.scope) if release else None


def find_hold(number: int) -> Found | None:
    rows = Hold.objects.select_related("release__service__project", "environment__project").filter(pk=number)
    hold = rows.first() if number <= HIGHEST_ID else None
    return Found(hold, _project_of(hold.held).scope) if hold else None


def _project_of(place: Any) -> Project:
    project: Project = place.service.project if isinstance(place, Release) else place.project
    return project


# What stands where --------------------------------------------------------------


class MatrixFilter(Form):
    name = "filter"
    project = Words(limit=10, label="Project", required=False)


@page("deployments.environments", SIGNED_IN)
def environments(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/environments.html", _matrix(request))


@page("deployments.environments_fragment", SIGNED_IN)
def environments_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "deployments/environments_body.html", _matrix(request))


def _matrix(request: HttpRequest) -> dict[str, Any]:
    form = MatrixFilter(request.GET)
    wanted = lists.wanted_of(form)["project"]
    projects = projects_of(request.user)
    chosen = [project for project in projects if not wanted or project.key == wanted]
    names = followed(chosen)
    known = Context({"live_cursors": streams.cursors(*names) if names else {}})
    url = f"{reverse('environments_fragment')}?{request.GET.urlencode()}"
    roles = access.roles(request.user)
    return {
        "form": form,
        "wanted": wanted,
        "projects": projects,
        "tables": matrix.tables(chosen),
        "left_out": max(len(chosen) - matrix.PROJECTS_SHOWN, 0),
        "most": matrix.PROJECTS_SHOWN,
        "releases": access.is_admin(request.user) or any(role >= Role.RELEASER for role in roles.values()),
        "live": live(known, *names, url=url) if names else "",
    }


# Environments, services, releases -----------------------------------------------


@page("deployments.environment", VIEWER, find=find_environment)
def environment(request: HttpRequest, environment: Environment, number: int) -> HttpResponse:
    return _held_page(request, environment)


@page("deployments.release", VIEWER, find=find_release)
def release(request: HttpRequest, release: Release, number: int) -> HttpResponse:
    return _held_page(request, release)


def _held_page(
    request: HttpRequest, place: Environment | Release, tried: Form | None = None, status: int = 200
) -> HttpResponse:
    """The page of what can be held; ``tried`` is a form that was refused, with what was typed in it."""
    project = _project_of(place)
    found = queries.holds_of(place)
    holding = next((hold for hold in found.rows if hold.state == HoldState.HOLDING), None)
    offered: Form = LiftForm() if holding else HoldForm()
    context = {
        "project": project,
        "holds": found,
        "holding": holding,
        "form": tried if tried is not None and tried.name == offered.name else offered,
        # what was asked for has no place on the page any more; what was typed is not lost with it
        "lost": tried if tried is not None and tried.name != offered.name else None,
        "tried": tried,
        "releases": access.may(request.user, RELEASER, project.scope),
        "owns": access.may(request.user, within(Role.OWNER), project.scope),
        "history": history.of([place.subject, *(hold.subject for hold in found.rows)]),
    }
    if isinstance(place, Environment):
        context |= {"environment": place, "variables": sorted(place.variables.items())}
        context |= {"frozen": freezes.in_force(place)}
        context |= {"placed": queries.standing_in(place), "deployments": queries.deployments_to(place)}
        context["observations"] = queries.observations_in(place)
        return render(request, "deployments/environment.html", context, status=status)
    context |= {"contents": queries.contents_of(place), "stays_done": plans.cannot_be_undone(place)}
    context |= {"release": place, "steps": _spoken(place.pipeline), "size": queries.ROWS_SHOWN}
    context |= {"since": release_page.since_before(place), "stays": release_page.stays_of(place)}
    context |= {"doors": release_page.doors_of(place), "own_pipeline": release_page.pipeline_of(place)}
    return render(request, "deployments/release.html", context, status=status)


def _spoken(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps with their commands as a page shows them."""
    return [step | {name: command_text(step[name]) for name in ("command", "undo", "probe")} for step in steps]


@page("deployments.service", VIEWER, find=find_service)
def service(request: HttpRequest, service: Service, number: int) -> HttpResponse:
    project = service.project
    before = lists.before_of(request)
    made = queries.releases_of(service, before)
    context = {
        "project": project,
        "service": service,
        "steps": _spoken(releases.pipeline_of(service)),
        "placed": queries.standing_of(service),
        "needs": service.dependencies.select_related("needs").order_by("needs__name"),
        "made": made.rows,
        "older": made.older,
        "before": before,
        "owns": access.may(request.user, within(Role.OWNER), project.scope),
        "releases": access.may(request.user, RELEASER, project.scope),
        "history": history.of([service.subject]),
    }
    return render(request, "deployments/service.html", context)


# Holds --------------------------------------------------------------------------


@page("deployments.hold_environment", RELEASER, find=find_environment, methods=("POST",))
def hold_environment(request: HttpRequest, environment: Environment, number: int) -> HttpResponse:
    form = HoldForm(request.POST)
    status, _ = form.carry_out(lambda asked: holds.hold_environment(environment, reason=asked["reason"]))
    return _after(request, environment, form, status, f"{environment} is held: nothing goes there.")


@page("deployments.hold_release", RELEASER, find=find_release, methods=("POST",))
def hold_release(request: HttpRequest, release: Release, number: int) -> HttpResponse:
    form = HoldForm(request.POST)
    status, _ = form.carry_out(lambda asked: holds.hold_release(release, reason=asked["reason"]))
    return _after(request, release, form, status, f"{release} is held: it goes nowhere.")


@page("deployments.lift", RELEASER, find=find_hold, methods=("POST",))
def lift(request: HttpRequest, hold: Hold, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> object:
        return holds.lift(hold, expected_version=asked["expected_version"], reason=asked["reason"])

    form = LiftForm(request.POST)
    status, _ = form.carry_out(act)
    return _after(request, hold.held, form, status, "The hold is lifted.")


def _after(request: HttpRequest, place: Any, form: Form, status: int, said: str) -> HttpResponse:
    if status == 200:
        messages.success(request, said)
        return redirect(place)
    return _held_page(request, place, form, status)
