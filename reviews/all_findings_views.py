"""All findings that a filter lets through: counted, then made tickets or answered, whatever page they are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import limits
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from reviews import answers, bulk_answers
from reviews.bulk_answers import Came, Taken, counted, spoken, take
from reviews.finding_forms import AllAnswersForm, AllTicketsForm, Expecting
from reviews.findings_views import address
from reviews.forms import BY, FindingFilter
from reviews.models import Finding, FindingState
from reviews.queries import findings as queries
from reviews.wording import answered, tickets_made
from tickets import lists


class Matched(NamedTuple):
    """The filter of an address, what it asks for, and the findings that it lets through, as far as one may see."""

    form: FindingFilter
    wanted: dict[str, str]
    rows: QuerySet[Finding]

    @classmethod
    def of(cls, request: HttpRequest) -> Matched:
        form = FindingFilter(request.GET)
        wanted = lists.wanted_of(form)
        return cls(form, wanted, queries.matching(request.user, wanted))

    def bare(self, user: Any) -> QuerySet[Finding]:
        """Those that can become tickets by ``user``."""
        return queries.held(self.rows, user, Role.OPERATOR).filter(state=FindingState.OPEN, ticket=None)

    def answerable(self, user: Any, verb: str) -> QuerySet[Finding]:
        return bulk_answers.able(queries.held(self.rows, user, Role.REVIEWER), verb)


@page("findings.all", SIGNED_IN)
def every(request: HttpRequest) -> HttpResponse:
    return _shown(request, Matched.of(request))


@page("findings.all_tickets", SIGNED_IN, methods=("POST",))
def make_tickets(request: HttpRequest) -> HttpResponse:
    """Tickets of all that the filter in the address lets through now, if they are as many as its sender saw."""
    matched, form = Matched.of(request), AllTicketsForm(request.POST)

    def act(asked: dict[str, Any]) -> str:
        taken = take(matched.bare(request.user), asked["expected"], limits.value("MAKE_TICKETS_ROWS"))
        made = answers.make_tickets(taken.findings, together=asked["together"], by=asked["by"])
        return tickets_made(made, taken.left)

    return _done(request, matched, form, act)


@page("findings.all_answers", SIGNED_IN, methods=("POST",))
def answer(request: HttpRequest) -> HttpResponse:
    """All of them answered with one reason, in the projects where the person reviews."""
    matched, form = Matched.of(request), AllAnswersForm(request.POST)

    def act(asked: dict[str, Any]) -> Came:
        rows = matched.answerable(request.user, asked["verb"])
        taken: Taken = take(rows, asked["expected"], limits.value("BULK_ANSWERS_ROWS"))
        words = form.words(request.user)
        came = bulk_answers.answer((found.pk for found in taken.findings), asked["verb"], words)
        came.left = taken.left
        return came

    return _done(request, matched, form, act)


def _done(
    request: HttpRequest, matched: Matched, form: Expecting, act: Callable[[dict[str, Any]], str | Came]
) -> HttpResponse:
    # A filter that was left out would make the press reach further than its sender saw.
    if matched.form.errors:
        return _shown(request, matched, form, status=422)
    status, came = form.carry_out(act)
    if came is None:
        return _shown(request, matched, form, status=status)
    query = request.GET.urlencode()
    if isinstance(came, str):
        messages.success(request, came)
        return redirect(address(query))
    said = answered(form.cleaned_data["verb"], came)
    if came.refused:
        context = {"came": came, "said": said, "reason": form.cleaned_data["reason"], "query": query}
        return render(request, "findings/came.html", context)
    messages.success(request, said)
    return redirect(address(query))


class Could(NamedTuple):
    """An answer, and how many it could be given to."""

    verb: str
    label: str
    number: int
    most: int
    # what it takes beside a reason
    needs: str = ""

    @property
    def spoken(self) -> str:
        return spoken(self.number)

    @property
    def first(self) -> int:
        return min(self.number, self.most)


def _shown(
    request: HttpRequest, matched: Matched, tried: Expecting | None = None, *, status: int = 200
) -> HttpResponse:
    most = limits.value("BULK_ANSWERS_ROWS")
    numbers: dict[frozenset[str], int] = {}
    could = []
    for verb, words in bulk_answers.VERBS.items():
        sources = bulk_answers.sources(verb)
        if sources not in numbers:
            numbers[sources] = counted(matched.answerable(request.user, verb))
        could.append(Could(verb, words.label, numbers[sources], most, words.needs))
    bare = Could("ticket", "", counted(matched.bare(request.user)), limits.value("MAKE_TICKETS_ROWS"))
    kept = {name: value for name, value in matched.wanted.items() if value}
    context = {
        "filtered": matched.form,
        "shown": [(matched.form.fields[name].label or name, said(matched.form, name, kept[name])) for name in kept],
        "query": request.GET.urlencode(),
        "bare": bare,
        "ways": BY,
        "could": [one for one in could if one.number],
        "making": tried if isinstance(tried, AllTicketsForm) else AllTicketsForm(),
        "answering": tried if isinstance(tried, AllAnswersForm) else AllAnswersForm(),
    }
    return render(request, "findings/all.html", context, status=status)


def said(form: FindingFilter, name: str, value: str) -> str:
    """A value of the filter as the list says it."""
    return str(dict(getattr(form.fields[name], "choices", ())).get(value, value))
