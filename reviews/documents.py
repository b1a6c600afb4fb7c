"""From an upload to a plan: received, read by a job, planned as rows."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Max

from portal.core.unit import unit_of_work
from reviews import planning
from reviews.importing import BadInput as UnreadableDocument
from reviews.importing import parse
from reviews.models import Review, ReviewState, Series
from reviews.transitions import REVIEW
from tickets.models import Project
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending

IMPORT_KIND = "review.import"


def receive(project: Project, *, series_name: str, content: bytes, file_name: str = "") -> tuple[Review, bool]:
    """Store a document verbatim and enqueue its reading; ``(review, made)``.

    The same bytes in the same series are the same review: nothing new is made.
    """
    digest = hashlib.sha256(content).hexdigest()
    with unit_of_work() as work:
        series, _ = Series.objects.get_or_create(project=project, name=series_name)
        # The lock of the series orders uploads: one gets the number, the other finds the document.
        Series.objects.select_for_update().get(pk=series.pk)
        known = Review.objects.filter(series=series, digest=digest).select_related("series__project").first()
        if known:
            return known, False
        last = Review.objects.filter(series=series).aggregate(last=Max("number"))["last"] or 0
        review = Review.objects.create(
            series=series,
            number=last + 1,
            title=file_name or series_name,
            file_name=file_name[:200],
            content=content,
            digest=digest,
            state=ReviewState.RECEIVED,
        )
        work.record(
            "review.received", review.subject, after={"sha256": digest, "bytes": len(content), "file": file_name}
        )
        REVIEW.announce(review)
        _enqueue(review)
    return review, True


def read_again(review: Review) -> Review:
    """After a failed reading: the same document, another try."""
    with unit_of_work():
        REVIEW.move(review, "read_again", error="")
        _enqueue(review)
    return review


def _enqueue(review: Review) -> None:
    queue.enqueue(
        IMPORT_KIND,
        subject=review.subject,
        payload={"review": review.pk},
        unique_key=review.subject,
        audience=review.series.project.scope,
    )


def run(claim: Claim) -> None:
    """The handler of kind "review.import": read the document, leave the plan as rows."""
    review = Review.objects.select_related("series__project").filter(pk=claim.payload["review"]).first()
    if review is None or review.state != ReviewState.RECEIVED:
        return
    try:
        parsed = parse(bytes(review.content), name=review.file_name)
    except UnreadableDocument as refusal:
        raise BadInput(refusal.message) from refusal
    claim.check()
    with claim.fenced():
        planning.make(review, parsed)


def settle(ending: Ending) -> None:
    """A reading that will not be tried again leaves its reason on the review."""
    if not ending.final or not ending.error:
        return
    review = (
        Review.objects.select_related("series").filter(pk=ending.payload["review"], state=ReviewState.RECEIVED).first()
    )
    if review is not None:
        REVIEW.move(review, "fail", reason=ending.error[:500], error=ending.error.strip().splitlines()[-1][:500])


def requeued(subject: str, payload: dict[str, Any]) -> None:
    review = Review.objects.select_related("series").filter(pk=payload["review"], state=ReviewState.FAILED).first()
    if review is not None:
        REVIEW.move(review, "read_again", error="")
