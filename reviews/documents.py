"""From an upload to a plan: received, read by a job, planned as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db.models import Max

from portal.core.unit import unit_of_work
from reviews import mappings, planning, telling
from reviews.importing import BadInput as UnreadableDocument
from reviews.importing import parse
from reviews.importing.model import ParsedReview
from reviews.models import Review, ReviewState, Series
from reviews.transitions import REVIEW
from tickets.models import Project, Turn
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending
from workers.models import LIVE_STATES, Job

IMPORT_KIND = "review.import"
STAGED_ROWS = 2000
_READ_ANEW = {ReviewState.REVERTED, ReviewState.DISCARDED, ReviewState.FAILED}


def receive(
    project: Project,
    *,
    series_name: str,
    content: bytes,
    file_name: str = "",
    mapping: dict[str, Any] | None = None,
    turn: Turn | None = None,
    reviewer: str = "",
    subject_commit: str = "",
) -> tuple[Review, bool]:
    """Store a document verbatim and enqueue its reading; ``(review, made)``.

    The same bytes in the same series are the same review: nothing new is made.
    Where it was reverted, discarded or could not be read, it is read again.
    ``mapping``, as ``mappings.read`` gives it, is the series' from now on; None leaves the one that it has.
    ``reviewer``, with their ``turn``, was asked for a document about ``subject_commit``.
    """
    digest = hashlib.sha256(content).hexdigest()
    with unit_of_work() as work:
        series, _ = Series.objects.get_or_create(project=project, name=series_name)
        # The lock of the series orders uploads: one gets the number, the other finds the document.
        series = Series.objects.select_for_update().get(pk=series.pk)
        series.project = project
        if mapping is not None and mapping != series.mapping:
            Series.objects.filter(pk=series.pk).update(mapping=mapping)
            after = {"series": series.name, "mapping": mapping}
            work.record("project.series_mapped", project.scope, before={"mapping": series.mapping}, after=after)
        known = Review.objects.filter(series=series, digest=digest).select_related("series__project")
        if review := known.defer("content", "read_text").first():
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
            turn=turn,
            reviewer=reviewer[:254],
            subject_commit=subject_commit,
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
    if staged := not review.reading and len(plan.rows) > STAGED_ROWS:
        # The first reading of a large document shows how far it is; its plan is there with the last, short step.
        try:
            for start in range(0, len(plan.rows), STAGED_ROWS):
                claim.check()
                with claim.fenced():
                    planning.stage(review, plan.rows[start : start + STAGED_ROWS], first=start == 0)
        except planning.Moved:
            return
    claim.check()
    with claim.fenced():
        planning.store(review, plan, rows_are_staged=staged)


def read_now(review: Review, writing: Callable[[], AbstractContextManager[Any]] = unit_of_work) -> Review:
    """Read a received document in this process; its job finds nothing left to do. Raises ``BadInput``.

    What cannot be read leaves its reason on the review, as the job would.
    ``writing`` opens each transaction, where a job's fence is to be in it.
    """
    try:
        plan = _read(review)
    except BadInput as refusal:
        with writing():
            _fail(review.pk, str(refusal))
        raise
    with writing():
        planning.store(review, plan)
    review.refresh_from_db(fields=["state", "version", "title", "error", "planned_on"])
    return review


def _read(review: Review) -> planning.Draft:
    try:
        return planning.draft(review, _parsed(review))
    except UnreadableDocument as refusal:
        raise BadInput(refusal.message) from refusal
    except planning.TooMany as refusal:
        raise BadInput(str(refusal)) from refusal


def _parsed(review: Review) -> ParsedReview:
    # The mapping as it is now: the row in hand may be from before it was said.
    series = Series.objects.get(pk=review.series_id)
    return parse(bytes(review.content), name=review.file_name, mapping=mappings.of(series))


def _waiting(pk: int) -> Review | None:
    # The bytes are fetched by who reads them: most who ask do not.
    rows = Review.objects.select_related("series__project").defer("content", "read_text")
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
    rows = Review.objects.select_related("series").defer("content", "read_text", "reading")
    review = rows.filter(pk=payload["review"], state=ReviewState.FAILED).first()
    if review is not None:
        REVIEW.move(review, "read_again", error="")
