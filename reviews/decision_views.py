"""The list of what was decided of findings, and a second person's yes or no to a waiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from reviews import decisions
from reviews.decision_forms import DecisionFilter, EndForm, FromReview, GiveForm, RefuseForm
from reviews.models import Decision
from reviews.queries import decisions as queries
from tickets import lists
from tickets.queries import Page

TABS: Final = (
    ("", "All"),
    ("standing", "Waiting or in force"),
    ("asked", "Waiting"),
    ("soon", "Ending soon"),
    ("ended", "Ended"),
    ("refused", "Refused"),
)


def find_decision(number: int) -> Found | None:
    decision = queries.by_number(number)
    return Found(decision, decision.finding.series.project.scope) if decision else None


@page("findings.decisions", SIGNED_IN)
def listed(request: HttpRequest) -> HttpResponse:
    return render(request, "decisions/list.html", _list(request))


@page("findings.decisions_fragment", SIGNED_IN)
def fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "decisions/list_body.html", _list(request))


def _list(request: HttpRequest, tried: FromReview | None = None, about: int = 0) -> dict[str, Any]:
    """``tried`` is a form about the decision ``about`` that was refused, with what was typed."""

    def rows(asked: lists.Asked) -> Page:
        return queries.decision_list(request.user, asked.wanted, asked.before)

    form = DecisionFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.REVIEWER, fragment="finding_decisions_fragment")
    shown = [queries.shown(row, request.user) for row in asked["rows"]]
    for one in shown:
        one.tried = tried if one.decision.pk == about else None
    return asked | {"rows": shown, "tabs": TABS, "live": "" if tried else asked["live"]}


@page("findings.give_waiver", within(Role.REVIEWER), find=find_decision, methods=("POST",))
def give(request: HttpRequest, decision: Decision, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        decisions.give(decision, by=request.user, expected_version=asked["expected_version"])  # type: ignore[arg-type]
        return f"Given. {decisions.in_words(decision)}"

    return _act(request, decision, GiveForm(request.POST), act)


@page("findings.refuse_waiver", within(Role.REVIEWER), find=find_decision, methods=("POST",))
def refuse(request: HttpRequest, decision: Decision, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        said = {"reason": asked["reason"], "expected_version": asked["expected_version"]}
        decisions.refuse(decision, by=request.user, **said)  # type: ignore[arg-type]
        return f"Refused: {decision.finding} stays open."

    return _act(request, decision, RefuseForm(request.POST), act)


@page("findings.end_decision", within(Role.REVIEWER), find=find_decision, methods=("POST",))
def end(request: HttpRequest, decision: Decision, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        decisions.end(decision, reason=asked["reason"], expected_version=asked["expected_version"])
        return f"Ended: {decision.finding} is {decision.finding.get_state_display().lower()}."

    return _act(request, decision, EndForm(request.POST), act)


def _act(
    request: HttpRequest, decision: Decision, form: FromReview, act: Callable[[dict[str, Any]], str]
) -> HttpResponse:
    """Done and said, back where it was asked; or the list with the reason where the button was."""
    status, said = form.carry_out(act)
    if status == 200:
        messages.success(request, said or "")
        if review := form.cleaned_data["review"]:
            return redirect(f"{reverse('review', args=[review])}#finding-{decision.finding_id}")
        query = f"?{request.GET.urlencode()}" if request.GET else f"?finding={decision.finding_id}"
        return redirect(f"{reverse('finding_decisions')}{query}")
    if not request.GET:
        # What was asked elsewhere is shown here with its refusal.
        only = QueryDict(f"finding={decision.finding_id}")
        request.GET = only
    return render(request, "decisions/list.html", _list(request, form, decision.pk), status=status)
