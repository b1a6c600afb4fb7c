"""The verdicts on a project's commits, and asking for one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from deployments import judging
from deployments import verdicts as policies
from deployments.forms import JudgeForm
from portal.core import access
from portal.core.access import Role, within
from portal.core.doors import page
from portal.live import streams
from tickets.models import Project
from tickets.project_views import find_project

VIEWER, OPERATOR = within(Role.VIEWER), within(Role.OPERATOR)


@page("deployments.verdicts", VIEWER, find=find_project)
def verdicts(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return _show(request, project, JudgeForm())


@page("deployments.verdicts_fragment", VIEWER, find=find_project)
def verdicts_fragment(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return render(request, "deployments/verdicts_body.html", _kept(project))


@page("deployments.ask_verdict", OPERATOR, find=find_project, methods=("POST",))
def ask(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    form = JudgeForm(request.POST)
    if not form.is_valid():
        return _show(request, project, form, status=422)
    asked = form.cleaned_data["asked"]
    judging.ask(project, asked)
    messages.success(request, f"{asked or 'The target branch'} is being judged. Its verdict appears here.")
    return redirect(reverse("verdicts", args=[project.key]))


def _show(request: HttpRequest, project: Project, form: JudgeForm, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        **_kept(project),
        "form": form,
        "holds": policies.in_words(policies.policy_of(project)),
        "operates": access.may(request.user, OPERATOR, project.scope),
        "owns": access.may(request.user, within(Role.OWNER), project.scope),
    }
    return render(request, "deployments/verdicts.html", context, status=status)


def _kept(project: Project) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(project.scope)
    found, cut = judging.of_commits(project)
    return {"project": project, "verdicts": found, "cut": cut, "live_cursors": cursors}
