"""Reviews asked for of what a deployment brings: its commit, against the one that it replaces."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from deployments.models import Deployment
from deployments.views import find_deployment
from portal.core.access import Role, within
from portal.core.doors import page
from portal.core.lifecycle import Refused
from reviews.council_forms import MembersForm
from reviews.councils import asking
from reviews.councils.subjects import Subject
from reviews.models import Council
from reviews.queries.reviews import series_names
from tickets.models import Project


@page("deployments.ask_council", within(Role.OPERATOR), find=find_deployment, methods=("GET", "POST"))
def ask(request: HttpRequest, deployment: Deployment, number: int) -> HttpResponse:
    form = MembersForm(request.POST) if request.method == "POST" else MembersForm()
    project = deployment.service.project

    def act(asked: dict[str, Any]) -> Council:
        return asking.ask(project, _subject(deployment), by=request.user, **form.asked())  # type: ignore[arg-type]

    status, council = form.carry_out(act) if request.method == "POST" else (200, None)
    if council is not None:
        messages.success(request, f"Asked for, as {council}. Its commit is being looked up.")
        return redirect(council)
    known = series_names(Project.objects.filter(pk=project.pk), project.key)
    context = {"form": form, "deployment": deployment, "known": known}
    return render(request, "deployments/council_new.html", context, status=status)


def _subject(deployment: Deployment) -> Subject:
    if not deployment.commit:
        raise Refused(f"{deployment} has no commit yet: it is looked up first.")
    since = deployment.previous.commit if deployment.previous else ""
    return Subject(Council.About.DEPLOYMENT, deployment.commit, since)
