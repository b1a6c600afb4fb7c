"""Pages of reviews: parse, one call inward, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.live import streams
from reviews import answers, applying, documents, queries
from reviews.forms import AnswerForm, ApplyForm, MakeTicketsForm, ReviewFilter, UploadForm
from reviews.models import Finding, Review, ReviewState
from tickets import lists
from tickets.fields import Form
from tickets.history import of as history_of
from tickets.queries import Page
from tickets.rights import require

ROLES: Final = {"operates": Role.OPERATOR, "reviews": Role.REVIEWER}


def find_review(number: int) -> Found | None:
    rows = Review.objects.select_related("series__project").defer("content")
    review = rows.filter(pk=number).first() if number < 2**63 else None
    return Found(review, review.series.project.scope) if review else None


class Asked(NamedTuple):
    """A finding, on the page of one review that speaks of it."""

    review: Review
    finding: Finding


def find_finding(number: int, finding: int) -> Found | None:
    found = find_review(number)
    asked = queries.of_review(found.object, finding) if found else None
    return Found(Asked(found.object, asked), found.scope) if found and asked else None


@page("reviews.list", SIGNED_IN)
def reviews(request: HttpRequest) -> HttpResponse:
    return render(request, "reviews/list.html", _list(request))


@page("reviews.list_fragment", SIGNED_IN)
def reviews_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "reviews/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return queries.review_list(request.user, before=asked.before, **asked.wanted)

    asked = lists.context(request, ReviewFilter(request.GET), rows, role=Role.OPERATOR, fragment="reviews_fragment")
    return asked | {"states": ReviewState.values}


@page("reviews.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET.get(name, "") for name in ("project", "series")}
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = UploadForm(request.user, *sent, initial=initial)
    if form.is_valid():
        asked = form.cleaned_data
        require(request.user, Role.OPERATOR, asked["project"])
        review, made = documents.receive(
            asked["project"], series_name=asked["series"], content=asked["content"], file_name=asked["file_name"]
        )
        if made:
            messages.success(request, f"Received as {review}. It is being read.")
        else:
            messages.warning(request, f"Nothing new: this document is {review} already.")
        return redirect(review)
    context = {"form": form, "projects": form.fields["project"].queryset.exists()}  # type: ignore[attr-defined]
    return render(request, "reviews/new.html", context, status=422 if form.errors else 200)


# One review -------------------------------------------------------------------


@page("reviews.review", within(Role.VIEWER), find=find_review)
def review(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    return render(request, "reviews/review.html", _everything(request, review))


@page("reviews.review_fragment", within(Role.VIEWER), find=find_review)
def review_fragment(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    return render(request, "reviews/review_body.html", _everything(request, review))


@page("reviews.findings_fragment", within(Role.VIEWER), find=find_review)
def findings_fragment(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    cursors = streams.cursors(review.series.project.scope)
    return render(request, "reviews/findings.html", _findings(request, review) | {"live_cursors": cursors})


@page("reviews.document", within(Role.VIEWER), find=find_review)
def document(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    """The document as it came: to keep, never to be shown by a browser as what it says it is."""
    answer = HttpResponse(queries.content(review), content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="review-{review.pk}.txt"'
    answer["Content-Security-Policy"] = "sandbox"
    return answer


def _everything(request: HttpRequest, review: Review, tried: Form | None = None, finding: int = 0) -> dict[str, Any]:
    cursors = streams.cursors(review.subject, review.series.project.scope)
    context: dict[str, Any] = {
        "review": review,
        "uploader": queries.uploader(review),
        "totals": queries.totals(review),
        "live_cursors": cursors,
        "tried": tried,
        **_may(request, review),
    }
    if review.state == ReviewState.APPLIED:
        context |= _findings(request, review, tried, finding)
        context["document"] = queries.document(review, context["findings"].rows)
    else:
        context["document"] = queries.document(review)
    if review.state == ReviewState.PLANNED:
        context["plan"] = queries.plan(review)
    return context | {"history": history_of([review.subject])}


def _may(request: HttpRequest, review: Review) -> dict[str, bool]:
    scope = review.series.project.scope
    return {name: access.may(request.user, within(role), scope) for name, role in ROLES.items()}


def _findings(request: HttpRequest, review: Review, tried: Form | None = None, finding: int = 0) -> dict[str, Any]:
    found = queries.findings(review)
    for row in found.rows:
        if row.finding.pk == finding:
            row.tried = tried
    made = tried if isinstance(tried, MakeTicketsForm) else None
    return {"review": review, "findings": found, "made": made, **_may(request, review)}


def _act(
    request: HttpRequest, review: Review, form: Form, act: Callable[[dict[str, Any]], str], finding: int = 0
) -> HttpResponse:
    """One change asked for by a form: done and said, or the page again with the reason where the button was."""
    status = 422
    if form.is_valid():
        try:
            said = act(form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
            status = 409
        else:
            messages.success(request, said)
            where = reverse("review", args=[review.pk])
            return redirect(f"{where}#finding-{finding}" if finding else where)
    fresh = find_review(review.pk)
    context = _everything(request, fresh.object if fresh else review, form, finding)
    return render(request, "reviews/review.html", context, status=status)


@page("reviews.apply", within(Role.REVIEWER), find=find_review, methods=("POST",))
def apply(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        made = applying.apply(review, expected_version=asked["expected_version"]).new
        return f"The plan is applied: {made} new finding{'' if made == 1 else 's'}."

    return _act(request, review, ApplyForm(request.POST), act)


@page("reviews.read_again", within(Role.OPERATOR), find=find_review, methods=("POST",))
def read_again(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        documents.read_again(review)
        return f"{review} is being read again."

    return _act(request, review, Form(request.POST), act)


@page("reviews.make_tickets", within(Role.OPERATOR), find=find_review, methods=("POST",))
def make_tickets(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> str:
        made = answers.make_tickets(asked["findings"])
        if not made:
            return "Nothing new: each of these findings has its ticket."
        names = made[0].key if len(made) == 1 else f"{made[0].key} to {made[-1].key}"
        return f"Made {len(made)} ticket{'' if len(made) == 1 else 's'}: {names}."

    return _act(request, review, MakeTicketsForm(review, request.POST), act)


@page("reviews.answer", within(Role.REVIEWER), find=find_finding, methods=("POST",))
def answer(request: HttpRequest, asked_for: Asked, number: int, finding: int) -> HttpResponse:
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        change = {"reason": asked["reason"], "expected_version": asked["expected_version"]}
        if asked["verb"] == "open_again":
            answers.open_again(found, **change)
        else:
            answers.answer(found, asked["verb"], **change)
        return f"{found} is {found.get_state_display().lower()}."

    return _act(request, review, AnswerForm(request.POST), act, finding)
