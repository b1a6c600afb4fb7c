"""The decisions of a project: what was asked, what people answered, and how one is dropped."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import access, limits
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.live import streams
from tickets import decisions as kept
from tickets import question_panel
from tickets.fields import HIGHEST_ID
from tickets.forms import KeepForm
from tickets.models import Project, Question
from tickets.project_views import find_project


def find_decision(key: str, number: int) -> Found | None:
    """A question of the project by its id, kept or not: who drops it second is told so."""
    found = find_project(key) if number <= HIGHEST_ID else None
    if found is None:
        return None
    rows = Question.objects.filter(pk=number, ticket__project=found.object)
    question = rows.select_related("ticket__project", "turn").first()
    return Found(question, found.scope) if question else None


@page("projects.decisions", within(Role.VIEWER), find=find_project)
def decisions(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return render(request, "projects/decisions.html", _body(request, project))


@page("projects.decisions_fragment", within(Role.VIEWER), find=find_project)
def fragment(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    return render(request, "projects/decisions_body.html", _body(request, project))


@page("projects.drop_decision", within(question_panel.ROLE), find=find_decision, methods=("POST",))
def drop(request: HttpRequest, question: Question, key: str, number: int) -> HttpResponse:
    form = KeepForm(request.POST)

    def act(asked: dict[str, Any]) -> Question:
        return kept.drop(question, **asked)

    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, f"Dropped: turns of other tickets than {question.ticket.key} are not told it again.")
        return redirect("project_decisions", key)
    context = _body(request, question.ticket.project) | {"refused": " ".join(map(str, form.non_field_errors()))}
    return render(request, "projects/decisions.html", context, status=status)


def _body(request: HttpRequest, project: Project) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(project.scope)
    found = kept.newest(project)
    return {
        "live_cursors": cursors,
        "project": project,
        "rows": [question_panel.QuestionShown(question) for question in found.rows],
        "more": found.more,
        "told": limits.value("TURN_DECISIONS_ROWS"),
        "may_drop": access.may(request.user, within(question_panel.ROLE), project.scope),
    }
