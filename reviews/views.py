"""Pages of reviews that show: the list, one review, its document."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.live import streams
from reviews import action_items, applying, planning, scopes
from reviews.forms import BY, MakeTicketsForm, ReviewFilter
from reviews.models import Finding, Review, ReviewState
from reviews.queries import councils as of_councils
from reviews.queries import decisions as of_decisions
from reviews.queries import document as documents
from reviews.queries import findings as of_findings
from reviews.queries import plan as plans
from reviews.queries import reviews as of_reviews
from reviews.queries import series as of_series
from reviews.queries import verifications
from tickets import lists
from tickets.fields import Form, number_of
from tickets.history import of as history_of
from tickets.queries import Page

ROLES: Final = {"operates": Role.OPERATOR, "reviews": Role.REVIEWER, "owns": Role.OWNER}


def find_review(number: int) -> Found | None:
    review = of_reviews.review_by_number(number)
    return Found(review, review.series.project.scope) if review else None


@page("reviews.list", SIGNED_IN)
def reviews(request: HttpRequest) -> HttpResponse:
    return render(request, "reviews/list.html", _list(request))


@page("reviews.list_fragment", SIGNED_IN)
def reviews_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "reviews/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return of_reviews.review_list(request.user, before=asked.before, **asked.wanted)

    asked = lists.context(request, ReviewFilter(request.GET), rows, role=Role.OPERATOR, fragment="reviews_fragment")
    return asked | {"states": ReviewState.values}


# One review -------------------------------------------------------------------


@page("reviews.review", within(Role.VIEWER), find=find_review)
def review(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    return render(request, "reviews/review.html", everything(request, review))


@page("reviews.review_fragment", within(Role.VIEWER), find=find_review)
def review_fragment(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    return render(request, "reviews/review_body.html", everything(request, review))


@page("reviews.findings_fragment", within(Role.VIEWER), find=find_review)
def findings_fragment(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    cursors = streams.cursors(review.series.project.scope)
    context = _frame(request, review) | _findings(request, review) | {"live_cursors": cursors}
    return render(request, "reviews/findings.html", context)


@page("reviews.document", within(Role.VIEWER), find=find_review)
def document(request: HttpRequest, review: Review, number: int) -> HttpResponse:
    """The document as it came: to keep, never to be shown by a browser as what it says it is."""
    answer = HttpResponse(documents.content(review), content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="review-{review.pk}.txt"'
    answer["Content-Security-Policy"] = "sandbox"
    return answer


class Asked(NamedTuple):
    """What the address of a review asks for: rows of its plan, some of its findings, its document laid out."""

    show: str
    after: int
    only: str
    rendered: bool
    query: str

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        sent = request.GET
        after = number_of(sent.get("after")) or 0
        query = f"?{sent.urlencode()}" if sent else ""
        return cls(sent.get("show", ""), min(after, 2**31 - 1), sent.get("only", ""), "rendered" in sent, query)


class Tried(NamedTuple):
    """A form about a review that was refused, and the finding or the row that it was about."""

    form: Form
    about: int = 0


def everything(request: HttpRequest, review: Review, tried: Tried | None = None) -> dict[str, Any]:
    """The context of a review's page. ``tried`` stands where its button was, with what was typed."""
    asked = Asked.of(request)
    context: dict[str, Any] = {
        **_frame(request, review),
        # A page shows what is at least as new as its cursors: they are read first.
        "live_cursors": streams.cursors(review.subject, review.series.project.scope),
        "uploader": of_reviews.uploader(review),
        "member": of_councils.of_review(review),
        "totals": of_reviews.totals(review.reading),
        "parts": of_reviews.parts(review),
        "tried": tried,
        "refused": {tried.form.name: tried.form} if tried else {},
        **_of_state(request, review, asked, tried),
    }
    shown = context["findings"].rows if "findings" in context else []
    context["document"] = documents.document(review, [row.mark for row in shown], rendered=asked.rendered)
    places = {row.mark.label: row.finding.pk for row in shown}
    context["tiers"] = of_reviews.tiers(review.reading, places)
    if context["operates"] and context["parts"].actions and review.state == ReviewState.APPLIED:
        context["owners"] = action_items.owners(review.series.project_id)
    checks = verifications.of_checks(review, context["parts"].checks)
    context |= {"checks": checks, "runnable": any(shown.allowed for shown in checks)}
    return context | {"history": history_of([review.subject])}


def _of_state(request: HttpRequest, review: Review, asked: Asked, tried: Tried | None) -> dict[str, Any]:
    if review.state == ReviewState.RECEIVED:
        return {"job": of_reviews.reading_job(review), "staged": planning.staged(review)}
    if review.state == ReviewState.PLANNED:
        about = tried.about if tried else 0
        plan = plans.plan(review, asked.show, asked.after, tried.form if about and tried else None, about)
        return {"plan": plan, "stale": applying.plan_is_stale(review)}
    if review.state == ReviewState.APPLIED:
        found = {"matrix": of_series.matrix(review.series), "not_assessed": plans.not_assessed(review)}
        return _findings(request, review, tried) | found
    if review.state == ReviewState.REVERTED:
        return {"taken_back": of_reviews.taken_back(review)}
    return {}


def _frame(request: HttpRequest, review: Review) -> dict[str, Any]:
    """What each part of the page needs: the review, what is asked for, and what the reader may do."""
    asked, scope = Asked.of(request), review.series.project.scope
    may = {name: access.may(request.user, within(role), scope) for name, role in ROLES.items()}
    # Laid out, a document has no lines to lead to: links to lines lead to its source.
    return {"review": review, "asked": asked, "source": review.get_absolute_url() if asked.rendered else "", **may}


def _findings(request: HttpRequest, review: Review, tried: Tried | None = None) -> dict[str, Any]:
    found = of_findings.findings(review, Asked.of(request).only)
    made = tried.form if tried and isinstance(tried.form, MakeTicketsForm) else None
    ticked = set(made.chosen) if made else set()
    for row in found.rows:
        row.ticked = str(row.finding.pk) in ticked
        if tried and tried.form.name == "answer" and row.finding.pk == tried.about:
            row.tried = tried.form
    decided = of_decisions.of_findings([row.finding.pk for row in found.rows], request.user)
    proofs = verifications.proofs(review, [row.finding for row in found.rows])
    for row in found.rows:
        row.decision, row.proofs = decided.get(row.finding.pk), proofs.get(row.finding.pk, [])
    return {"findings": found, "made": made, "ways": BY, "scopes": scopes.of(review.series.project)}


def here(review: Review) -> Any:
    """The findings that a form on the page of ``review`` may name."""
    return Finding.objects.filter(occurrences__review=review).select_related("series__project")
