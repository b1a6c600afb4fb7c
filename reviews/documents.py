"""From an upload to a plan: received, read by a job, planned as rows."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Max

from portal.core.unit import unit_of_work
from reviews import planning, telling
from reviews.importing import BadInput as UnreadableDocument
from reviews.importing import parse
from reviews.models import Review, ReviewState, Series
from reviews.transitions import REVIEW
from tickets.models import Project
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending
from workers.models import LIVE_STATES, Job

IMPORT_KIND = "review.import"
_READ_ANEW = {ReviewState.REVERTED, ReviewState.DISCARDED, ReviewState.FAILED}


def receive(project: Project, *, series_name: str, content: bytes, file_name: str = "") -> tuple[Review, bool]:
    """Store a document verbatim and enqueue its reading; ``(review, made)``.

    The same bytes in the same series are the same review: nothing new is made.
    Where it was reverted, discarded or could not be read, it is read again.
    """
    digest = hashlib.sha256(content).hexdigest()
    with unit_of_work() as work:
        series, _ = Series.objects.get_or_create(project=project, name=series_name)
        # The lock of the series orders uploads: one gets the number, the other finds the document.
        Series.objects.select_for_update().get(pk=series.pk)
        known = Review.objects.filter(series=series, digest=digest).select_related("series__project")
        if review := known.defer("content").first():
            if review.state in _READ_ANEW:
                read_again(review)
            return review, False
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


def read_again(review: Review, *, expected_version: int | None = None) -> Review:
    """The same document, another plan: of the series as it is now. Raises ``Refused``."""
    with unit_of_work():
        # A job that has planned and not yet ended would be taken for the new one: its end is waited for.
        list(Job.objects.filter(kind=IMPORT_KIND, unique_key=review.subject, state__in=LIVE_STATES).select_for_update())
        REVIEW.move(review, "read_again", expected_version=expected_version, error="")
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
    review = _waiting(claim.payload["review"])
    if review is None:
        return
    plan = _read(review)
    claim.check()
    with claim.fenced():
        planning.store(review, plan)


def read_now(review: Review) -> Review:
    """Read a received document in this process; its job finds nothing left to do. Raises ``BadInput``.

    What cannot be read leaves its reason on the review, as the job would.
    """
    try:
        plan = _read(review)
    except BadInput as refusal:
        with unit_of_work():
            _fail(review.pk, str(refusal))
        raise
    with unit_of_work():
        planning.store(review, plan)
    review.refresh_from_db(fields=["state", "version", "title", "error", "planned_on"])
    return review


def _read(review: Review) -> planning.Draft:
    try:
        return planning.draft(review, parse(bytes(review.content), name=review.file_name))
    except UnreadableDocument as refusal:
        raise BadInput(refusal.message) from refusal
    except planning.TooMany as refusal:
        raise BadInput(str(refusal)) from refusal


def _waiting(pk: int) -> Review | None:
    # The bytes are fetched by who reads them: most who ask do not.
    rows = Review.objects.select_related("series__project").defer("content")
    return rows.filter(pk=pk, state=ReviewState.RECEIVED).first()


def settle(ending: Ending) -> None:
    """A reading that will not be tried again leaves its reason on the review."""
    if ending.final and ending.error:
        _fail(ending.payload["review"], ending.error)
    elif ending.final and (review := _waiting(ending.payload["review"])):
        # It was asked to be read again after this job had planned it, and before this job ended.
        _enqueue(review)


def _fail(pk: int, error: str) -> None:
    review = _waiting(pk)
    if review is not None:
        REVIEW.move(review, "fail", reason=error[:500], error=error.strip().splitlines()[-1][:500])
        telling.failed(review)


def requeued(subject: str, payload: dict[str, Any]) -> None:
    rows = Review.objects.select_related("series").defer("content", "reading")
    review = rows.filter(pk=payload["review"], state=ReviewState.FAILED).first()
    if review is not None:
        REVIEW.move(review, "read_again", error="")
