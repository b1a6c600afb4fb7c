"""Pages of projects: what they hold, who belongs to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.live import streams
from tickets import history, panels, projects, queries
from tickets.fields import Form
from tickets.forms import LeavingForm, MemberForm, NewProjectForm, OfProject, PolicyForm, SettingsForm
from tickets.lists import before_of
from tickets.models import Project
from tickets.work import create_project


def find_project(key: str) -> Found | None:
    project = Project.objects.filter(key=key).first() if re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", key, re.ASCII) else None
    return Found(project, project.scope) if project else None


@page("projects.list", SIGNED_IN)
def project_list(request: HttpRequest) -> HttpResponse:
    found = queries.project_list(request.user, before_of(request))
    return render(request, "projects/list.html", {"rows": found.rows, "older": found.older})


@page("projects.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    form = NewProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            project = create_project(
                key=asked["key"], name=asked["title"], repository=asked["repository"], owner=request.user
            )
        except IntegrityError:
            mine = queries.seen_by(
                request.user, Project.objects.filter(key=asked["key"], name=asked["title"]), "pk"
            ).first()
            if mine:
                return redirect("project", mine.key)
            form.add_error("key", f"The key {asked['key']} is taken.")
        else:
            messages.success(request, f"{project.key} is made, and you own it.")
            return redirect("project", project.key)
    return render(request, "projects/new.html", {"form": form}, status=422 if form.errors else 200)


@page("projects.project", within(Role.VIEWER), find=find_project)
def project(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return render(request, "projects/project.html", _everything(request, project))


@page("projects.project_fragment", within(Role.VIEWER), find=find_project)
def project_fragment(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return render(request, "projects/project_body.html", _body(request, project))


def _body(request: HttpRequest, project: Project) -> dict[str, Any]:
    cursors = streams.cursors(project.scope)
    return {
        "live_cursors": cursors,
        "project": project,
        "counts": queries.counts(project),
        "panels": panels.of_project(project, request.user),
        "history": history.of([project.scope]),
    }


def _everything(request: HttpRequest, project: Project, tried: Form | None = None) -> dict[str, Any]:
    forms: dict[str, Form] = {
        "settings": SettingsForm(project),
        "policy": PolicyForm(project),
        "member": MemberForm(initial={"role": Role.VIEWER.value}),
    }
    if tried is not None:
        forms[tried.name] = tried
    return _body(request, project) | {
        "members": queries.members(project),
        "roles": [(role.value, role.label.capitalize()) for role in Role],
        "owns": access.may(request.user, within(Role.OWNER), project.scope),
        "operates": access.may(request.user, within(Role.OPERATOR), project.scope),
        "forms": forms,
    }


def _act(
    request: HttpRequest, project: Project, form: Form, act: Callable[[dict[str, Any]], object], said: str
) -> HttpResponse:
    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, said)
        return redirect("project", project.key)
    project.refresh_from_db()
    if status == 409 and isinstance(form, OfProject):
        form.look_again(project)
    return render(request, "projects/project.html", _everything(request, project, form), status=status)


@page("projects.settings", within(Role.OWNER), find=find_project, methods=("POST",))
def settings(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return _set(request, project, SettingsForm(project, request.POST), f"The settings of {project.key} are saved.")


@page("projects.policy", within(Role.OWNER), find=find_project, methods=("POST",))
def policy(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return _set(
        request, project, PolicyForm(project, request.POST), f"How {project.key} takes in agents' work is saved."
    )


def _set(request: HttpRequest, project: Project, form: OfProject, said: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Project:
        return projects.change(project, expected_version=asked["expected_version"], **form.asked())

    return _act(request, project, form, act, said)


@page("projects.let_in", within(Role.OWNER), find=find_project, methods=("POST",))
def let_in(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> object:
        return projects.let_in(project, asked["email"], asked["role"])

    return _act(request, project, MemberForm(request.POST), act, "The member's role is saved.")


@page("projects.take_out", within(Role.OWNER), find=find_project, methods=("POST",))
def take_out(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> None:
        projects.take_out(project, asked["user"])

    return _act(request, project, LeavingForm(request.POST), act, "The membership has ended.")
