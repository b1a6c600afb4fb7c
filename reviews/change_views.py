"""What people do to a review and its findings: parse, one call inward, the page again or its refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core.access import Role, within
from portal.core.doors import Found, page
from reviews import answers, applying, documents, scopes
from reviews.decision_forms import AnswerForm
from reviews.forms import DiscardForm, LeaveOutForm, MakeTicketsForm, RevertForm
from reviews.models import Finding, ImportRow, Review
from reviews.plan_forms import ApplyForm
from reviews.queries import findings as of_findings
from reviews.queries import plan as plans
from reviews.views import Tried, everything, find_review, here
from reviews.wording import answer_given, applied, reverted, tickets_made
from tickets.fields import Form

Act = Callable[[dict[str, Any]], str]


class AskedFinding(NamedTuple):
    """A finding, on the page of one review that speaks of it."""

    review: Review
    finding: Finding


class AskedRow(NamedTuple):
    review: Review
    row: ImportRow


def find_finding(number: int, finding: int) -> Found | None:
    found = find_review(number)
    asked = of_findings.of_review(found.object, finding) if found else None
    return Found(AskedFinding(found.object, asked), found.scope) if found and asked else None


def find_row(number: int, row: int) -> Found | None:
    found = find_review(number)
    asked = plans.row_of(found.object, row) if found else None
    return Found(AskedRow(found.object, asked), found.scope) if found and asked else None


def act_on(
    request: HttpRequest, review: Review, form: Form, act: Act, *, about: int = 0, anchor: str = ""
) -> HttpResponse:
    """One change asked for by a form: done and said, or the page again with the reason where the button was."""
    status, said = form.carry_out(act)
    if status == 200:
        if said:
            messages.success(request, said)
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return redirect(f"{reverse('review', args=[review.pk])}{query}{anchor}")
    fresh = find_review(review.pk)
    context = everything(request, fresh.object if fresh else review, Tried(form, about))
    # htmx puts nothing into the page of what is answered as an error, and the refusal is to be seen.
    swapped = getattr(request, "htmx", False)
    return render(request, "reviews/review.html", context, status=200 if swapped else status)


@page("reviews.apply", within(Role.REVIEWER), find=find_review, methods=("POST",))
def apply(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        done = applying.apply(review, by=request.user, **asked)  # type: ignore[arg-type]
        return f"The plan is applied: {applied(done)}."

    return act_on(request, review, ApplyForm(request.POST), act)


@page("reviews.revert", within(Role.REVIEWER), find=find_review, methods=("POST",))
def revert(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        done = applying.revert(review, reason=asked["reason"], expected_version=asked["expected_version"])
        return f"{review} is reverted: {reverted(done)}."

    return act_on(request, review, RevertForm(request.POST), act)


@page("reviews.discard", within(Role.REVIEWER), find=find_review, methods=("POST",))
def discard(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        applying.discard(review, reason=asked["reason"], expected_version=asked["expected_version"])
        return f"The plan of {review} is discarded. The document stays, and can be read again."

    return act_on(request, review, DiscardForm(request.POST), act)


@page("reviews.read_again", within(Role.OPERATOR), find=find_review, methods=("POST",))
def read_again(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        documents.read_again(review)
        return f"{review} is being read again."

    return act_on(request, review, Form(request.POST), act)


@page("reviews.leave_out", within(Role.REVIEWER), find=find_row, methods=("POST",))
def leave_out(request: HttpRequest, asked_for: AskedRow, number: int, row: int) -> HttpResponse:
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        applying.leave_out(found, asked["left_out"], expected_version=asked["expected_version"])
        return ""

    return act_on(request, review, LeaveOutForm(request.POST), act, about=row, anchor=f"#row-{found.n}")


@page("reviews.make_tickets", within(Role.OPERATOR), find=find_review, methods=("POST",))
def make_tickets(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    form = MakeTicketsForm(here(review), request.POST)

    def act(asked: dict[str, Any]) -> str:
        made = answers.make_tickets(asked["findings"], together=asked["together"])
        return tickets_made(made, form.left)

    return act_on(request, review, form, act)


@page("reviews.answer", within(Role.REVIEWER), find=find_finding, methods=("POST",))
def answer(request: HttpRequest, asked_for: AskedFinding, number: int, finding: int) -> HttpResponse:
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        change = {"reason": asked["reason"], "expected_version": asked["expected_version"]}
        if asked["verb"] == "open_again":
            answers.open_again(found, **change)
        else:
            change |= {name: asked[name] for name in ("evidence", "scope", "until")}
            answers.answer(found, asked["verb"], by=request.user, **change)  # type: ignore[arg-type]
        return answer_given(found, asked["verb"])

    form = AnswerForm(scopes.of(review.series.project), request.POST)
    return act_on(request, review, form, act, about=finding, anchor=f"#finding-{finding}")
