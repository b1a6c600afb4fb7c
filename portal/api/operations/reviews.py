"""Reviews: received, read, applied, taken back."""

from __future__ import annotations

from typing import Any, Literal, cast

from django.db.models import Count
from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation, verbs
from portal.api.shapes import Flag, Paged, Reason, Seen, Strict, Versioned, decoded, moment, page, project_by_key
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.models import User
from reviews import applying, documents, holding
from reviews.importing import BadInput
from reviews.importing.mapping import mapping_of
from reviews.models import Review, ReviewState
from reviews.queries import plan as plans
from reviews.queries.reviews import review_by_number
from tickets.models import Project
from tickets.queries import seen_by

PARTS_SHOWN = 200


class ReviewIn(Strict):
    series: Seen = Field(min_length=1, max_length=200)
    file_name: str = Field("", max_length=200)
    # exactly one: the document's bytes, so that what is stored is what was sent, or its text
    content_base64: str | None = None
    text: str | None = None
    # how columns of a table or JSON are read: {"fields": {"title": "Summary"}}; the series keeps it, {} takes it back
    mapping: dict[str, Any] | None = None


class Received(Schema):
    id: int
    series: str
    version: int
    state: str
    sha256: str
    new: bool


class ReviewOut(Schema):
    id: int
    project: str
    series: str
    number: int
    title: str
    file_name: str
    sha256: str
    state: str
    # what a change of it must say
    version: int
    allowed: list[str]
    uploaded_at: str


class Total(Schema):
    stated: dict[str, int]
    found: dict[str, int]
    disagreements: list[str]


class CheckOut(Schema):
    name: str
    outcome: str
    detail: str
    line: int


class ActionItemOut(Schema):
    n: int
    text: str
    section: str
    # by the document's word, and by a person's, which stands above it
    done: bool | None
    ticked: bool | None
    ticked_by: str
    owner: str | None
    line: int

    @staticmethod
    def resolve_owner(item: Any) -> str | None:
        return item.owner.email if item.owner else None


class HoldsOut(Schema):
    # rows that somebody has to choose or say something of, before the plan can be applied
    unchosen: int
    unsaid: int
    # of the open findings of the series, how many the plan closes; guarded: who applies it says that it is meant
    closing: int
    open: int
    guarded: bool


class ReviewWhole(ReviewOut):
    error: str
    stale: bool
    form: str
    tool: str
    commit: str
    # of a plan alone
    holds: HoldsOut | None
    not_assessed: int
    document_keys: bool
    subject_ticket: str | None
    verdict: str
    notes: list[str]
    totals: Total
    plan: dict[str, int]
    checks: list[CheckOut]
    action_items: list[ActionItemOut]
    # of checks and action items, how many are not in this answer
    more: int


class Reviews(Schema):
    items: list[ReviewOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Paged):
    project: str = Field("", max_length=10)
    series: str = Field("", max_length=200)
    state: str = Field("", max_length=20)


class ApplyIn(Versioned):
    document_keys: Flag = True
    # what became of the open findings of which nothing was said; left out, there must be none
    rest: Literal["", "not_assessed", "still"] = ""
    closing_meant: Flag = False


class RevertIn(Versioned):
    reason: Reason


class DiscardIn(Versioned):
    reason: str = Field("", max_length=2000)


class AppliedOut(Schema):
    review: ReviewOut
    new: int
    seen: int
    closed: int
    reopened: int
    carried: int
    linked: int
    regressed: int
    known: int


class RevertedOut(Schema):
    review: ReviewOut
    taken_back: int
    kept: int


def find_review(number: int) -> Found | None:
    review = review_by_number(number)
    return Found(review, review.series.project.scope) if review else None


def shown(review: Review) -> dict[str, Any]:
    return {
        "id": review.pk,
        "project": review.series.project.key,
        "series": review.series.name,
        "number": review.number,
        "title": review.title,
        "file_name": review.file_name,
        "sha256": review.digest,
        "state": review.state,
        "version": review.version,
        "allowed": verbs(review, review.state),
        "uploaded_at": moment(review.uploaded_at),
    }


def whole(review: Review) -> dict[str, Any]:
    reading = review.reading
    parts = review.checks.order_by("n"), review.action_items.select_related("owner").order_by("n")
    checks, items = (list(rows[:PARTS_SHOWN]) for rows in parts)
    return shown(review) | {
        "error": review.error,
        "stale": applying.plan_is_stale(review),
        "form": review.form,
        "tool": review.tool,
        "commit": review.commit,
        "holds": _holds(review) if review.state == ReviewState.PLANNED else None,
        "not_assessed": plans.not_assessed(review),
        "document_keys": review.document_keys,
        "subject_ticket": review.subject_ticket.key if review.subject_ticket else None,
        "verdict": reading.get("verdict") or "",
        "notes": [str(note) for note in reading.get("notes") or []][:PARTS_SHOWN],
        "totals": {
            "stated": reading.get("stated") or {},
            "found": reading.get("found") or {},
            "disagreements": [str(said) for said in reading.get("disagreements") or []][:PARTS_SHOWN],
        },
        "plan": dict(review.rows.values_list("action").annotate(number=Count("id")).order_by("action")),
        "checks": checks,
        "action_items": items,
        "more": sum(rows.count() for rows in parts) - len(checks) - len(items),
    }


def _holds(review: Review) -> dict[str, Any]:
    holds = holding.of(review)
    return holds._asdict() | {"guarded": holds.guarded}


# Reading ----------------------------------------------------------------------


@operation("get", "/reviews", "api.reviews", SIGNED_IN, query=Listing, response=Reviews)
def reviews(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The reviews that the token's user sees, newest first."""
    if listing.state and listing.state not in ReviewState.values:
        raise Unfit("state", f"state is one of: {', '.join(ReviewState.values)}.")
    rows = Review.objects.select_related("series__project").defer("content", "read_text", "reading")
    wanted = {"series__project__key": listing.project, "series__name": listing.series, "state": listing.state}
    asked = {column: value for column, value in wanted.items() if value}
    return page(seen_by(request.user, rows, "series__project").filter(**asked), listing, shown)


@operation("get", "/reviews/{int:number}", "api.review", within(Role.VIEWER), find=find_review, response=ReviewWhole)
def review(request: HttpRequest, number: int) -> dict[str, Any]:
    """One review: what was read of it, and what its state allows."""
    return whole(request.found)  # type: ignore[attr-defined]


# Receiving --------------------------------------------------------------------


@operation(
    "post",
    "/projects/{key}/reviews",
    "api.review.upload",
    within(Role.OPERATOR),
    find=project_by_key,
    response=Received,
)
def upload(request: HttpRequest, key: str, body: ReviewIn) -> dict[str, Any]:
    """Store a document and have it read. The same document again is answered with the review that is there."""
    project: Project = request.found  # type: ignore[attr-defined]
    try:
        mapping = mapping_of(body.mapping).stored() if body.mapping else body.mapping
    except BadInput as refusal:
        raise Unfit("mapping", refusal.message, 422) from None
    review, made = documents.receive(
        project, series_name=body.series, content=_content(body), file_name=body.file_name, mapping=mapping
    )
    return {
        "id": review.pk,
        "series": review.series.name,
        "version": review.number,
        "state": review.state,
        "sha256": review.digest,
        "new": made,
    }


def _content(body: ReviewIn) -> bytes:
    if (body.content_base64 is None) == (body.text is None):
        raise Unfit("content_base64", "Send content_base64 or text, one of the two.")
    most = limits.value("DOCUMENT_TEXT_MAX_BYTES")
    content = (
        body.text.encode() if body.text is not None else decoded("content_base64", body.content_base64 or "", most)
    )
    if not content or len(content) > most:
        status = 413 if content else 400
        field = "text" if body.text is not None else "content_base64"
        raise Unfit(field, f"A document has 1 to {most} bytes; yours has {len(content)}.", status)
    return content


# Changing ---------------------------------------------------------------------


@operation(
    "post",
    "/reviews/{int:number}/apply",
    "api.review.apply",
    within(Role.REVIEWER),
    find=find_review,
    response=AppliedOut,
)
def apply(request: HttpRequest, number: int, body: ApplyIn) -> dict[str, Any]:
    """Turn the plan into findings; ``rest`` says what became of those that nobody has spoken of."""
    review: Review = request.found  # type: ignore[attr-defined]
    done = applying.apply(
        review,
        document_keys=body.document_keys,
        expected_version=body.version,
        rest=body.rest,
        closing_meant=body.closing_meant,
        by=cast(User, request.user),
    )
    return done._asdict() | {"review": shown(review)}


@operation(
    "post",
    "/reviews/{int:number}/revert",
    "api.review.revert",
    within(Role.REVIEWER),
    find=find_review,
    response=RevertedOut,
)
def revert(request: HttpRequest, number: int, body: RevertIn) -> dict[str, Any]:
    """Take back what applying did; what somebody has touched since is kept."""
    review: Review = request.found  # type: ignore[attr-defined]
    done = applying.revert(review, reason=body.reason, expected_version=body.version)
    return done._asdict() | {"review": shown(review)}


@operation(
    "post",
    "/reviews/{int:number}/discard",
    "api.review.discard",
    within(Role.REVIEWER),
    find=find_review,
    response=ReviewOut,
)
def discard(request: HttpRequest, number: int, body: DiscardIn) -> dict[str, Any]:
    """Put a plan aside; the document stays."""
    review: Review = request.found  # type: ignore[attr-defined]
    return shown(applying.discard(review, reason=body.reason, expected_version=body.version))


@operation(
    "post",
    "/reviews/{int:number}/read_again",
    "api.review.read_again",
    within(Role.OPERATOR),
    find=find_review,
    response=ReviewOut,
)
def read_again(request: HttpRequest, number: int, body: Versioned) -> dict[str, Any]:
    """Have the document read again: a new plan."""
    review: Review = request.found  # type: ignore[attr-defined]
    return shown(documents.read_again(review, expected_version=body.version))
