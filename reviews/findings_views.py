"""The list of findings, and the tickets and answers made from it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from reviews import answers, bulk_answers, evidence, saved_filters
from reviews.finding_forms import ChosenAnswersForm, ChosenTicketsForm
from reviews.forms import BY, FindingFilter, PickedForm
from reviews.models import Finding, FindingState
from reviews.queries import findings as queries
from reviews.wording import answered, tickets_made
from tickets import lists
from tickets.fields import Form, number_of
from tickets.queries import Page

STATES: Final = [value for value in FindingState.values if value != FindingState.WITHDRAWN]


@page("findings.list", SIGNED_IN)
def findings(request: HttpRequest) -> HttpResponse:
    if "saved" in request.GET:
        return _loaded(request)
    return render(request, "findings/list.html", listed(request))


@page("findings.list_fragment", SIGNED_IN)
def findings_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "findings/list_body.html", listed(request))


def _loaded(request: HttpRequest) -> HttpResponse:
    """To the list of a saved filter, whose query counts for as much as the form of today reads of it."""
    number = number_of(request.GET.get("saved"))
    loaded = saved_filters.load(request.user, number) if number else None
    if loaded is None:
        raise Http404
    if loaded.cut:
        messages.warning(request, "A part of this filter cannot be read any more, and was left out.")
    return redirect(address(loaded.query))


def address(query: str) -> str:
    return reverse("findings") + (f"?{query}" if query else "")


def listed(request: HttpRequest, *, tried: PickedForm | None = None, saving: Form | None = None) -> dict[str, Any]:
    """The context of the list. ``tried`` and ``saving`` are forms that were refused, with what was typed."""

    def rows(asked: lists.Asked) -> Page:
        return queries.finding_list(request.user, asked.wanted, asked.before)

    form = FindingFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.OPERATOR, fragment="findings_fragment")
    evidence.mark(asked["rows"])
    answering = mark(request, asked["rows"], set(tried.chosen) if tried else set())
    return asked | {
        "made": tried,
        "saving": saving,
        "saved": saved_filters.listed(request.user),
        "query": request.GET.urlencode(),
        "selectable": sum(finding.selectable for finding in asked["rows"]),
        "answering": answering,
        "verbs": bulk_answers.VERBS,
        "ways": BY,
        "states": STATES,
        "more_filters": any(asked["wanted"][name] for name in ("category", "rule", "standing", "age")),
        "live": "" if tried else asked["live"],
    }


def mark(request: HttpRequest, rows: list[Finding], ticked: set[str]) -> bool:
    """Say of each row whether it can be picked, and was; returns whether the reader may answer any."""
    held, every = access.roles(request.user), access.is_admin(request.user)
    answering = False
    for finding in rows:
        role = Role.OWNER if every else held.get(finding.series.project.scope, Role.VIEWER)
        bare = finding.state == FindingState.OPEN and finding.ticket_id is None
        answerable = role >= Role.REVIEWER
        answering = answering or answerable
        finding.ticked = str(finding.pk) in ticked  # type: ignore[attr-defined]
        finding.selectable = answerable or (bare and role >= Role.OPERATOR)  # type: ignore[attr-defined]
    return answering


def within(user: Any, role: Role) -> QuerySet[Finding]:
    """The findings of the projects in which ``user`` holds ``role``."""
    return queries.held(Finding.objects.select_related("series__project"), user, role)


@page("findings.make_tickets", SIGNED_IN, methods=("POST",))
def make_tickets(request: HttpRequest) -> HttpResponse:
    """Tickets of the chosen findings, in the projects where the person may make them."""
    form = ChosenTicketsForm(within(request.user, Role.OPERATOR), request.POST)
    status, made = form.carry_out(
        lambda asked: answers.make_tickets(asked["findings"], together=asked["together"], by=asked["by"])
    )
    if made is not None:
        messages.success(request, tickets_made(made))
        return redirect(address(request.GET.urlencode()))
    return render(request, "findings/list.html", listed(request, tried=form), status=status)


@page("findings.answer", SIGNED_IN, methods=("POST",))
def answer(request: HttpRequest) -> HttpResponse:
    """The chosen findings answered with one reason, in the projects where the person reviews."""
    form = ChosenAnswersForm(within(request.user, Role.REVIEWER), request.POST)
    status, came = form.carry_out(
        lambda asked: bulk_answers.answer(
            [finding.pk for finding in asked["findings"]], asked["verb"], form.words(request.user)
        )
    )
    if came is None:
        return render(request, "findings/list.html", listed(request, tried=form), status=status)
    said = answered(form.cleaned_data["verb"], came)
    if came.refused:
        context = {"came": came, "said": said, "reason": form.cleaned_data["reason"], "query": request.GET.urlencode()}
        return render(request, "findings/came.html", context)
    messages.success(request, said)
    return redirect(address(request.GET.urlencode()))
