"""A plan is applied, left in part, discarded, or taken back."""

from __future__ import annotations

from typing import NamedTuple

from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, ReviewState, Series, Severity
from reviews.transitions import FINDING, REVIEW


class Applied(NamedTuple):
    """How many findings are new, seen again, closed, open again, carried; and how many were linked to tickets."""

    new: int
    seen: int
    closed: int
    reopened: int
    carried: int
    linked: int


class Reverted(NamedTuple):
    """How many rows were taken back, and how many were kept because somebody touched their finding since."""

    taken_back: int
    kept: int


def plan_is_stale(review: Review) -> bool:
    """Whether the series has moved on since the plan was made: then it must be read again."""
    if review.state != ReviewState.PLANNED:
        return False
    return Series.objects.filter(pk=review.series_id).exclude(version=review.planned_on).exists()


def apply(review: Review, *, document_keys: bool = True, expected_version: int | None = None) -> Applied:
    """Turn the plan into findings and occurrences. Raises ``Refused``."""
    with unit_of_work():
        REVIEW.move(review, "apply", expected_version=expected_version, document_keys=document_keys)
        rows = list(ImportRow.objects.filter(review=review, left_out=False).order_by("n"))
        new = [_finding(review, row) for row in rows if row.action == ImportRow.Action.NEW]
        Finding.objects.bulk_create(new)
        by_identity = {finding.identity: finding for finding in Finding.objects.filter(series=review.series)}
        Occurrence.objects.bulk_create([_occurrence(review, row, by_identity[row.identity]) for row in rows])
        for finding in new:
            FINDING.announce(by_identity[finding.identity])
    return Applied(len(new), len(rows) - len(new), 0, 0, 0, 0)


def revert(review: Review, *, reason: str, expected_version: int | None = None) -> Reverted:
    """Take back what applying did. Raises ``Refused``."""
    with unit_of_work():
        REVIEW.move(review, "revert", reason=reason, expected_version=expected_version)
        made = Occurrence.objects.filter(review=review).values("finding")
        findings = list(Finding.objects.filter(pk__in=made).select_related("series").order_by("pk"))
        Occurrence.objects.filter(review=review).delete()
        gone = [row for row in findings if not row.occurrences.exists()]
        for finding in gone:
            FINDING.move(finding, "withdraw", reason=reason)
    return Reverted(len(gone), len(findings) - len(gone))


def discard(review: Review, *, reason: str = "", expected_version: int | None = None) -> Review:
    """Put a plan aside; the document stays, and can be read again. Raises ``Refused``."""
    return REVIEW.move(review, "discard", reason=reason, expected_version=expected_version)


def leave_out(row: ImportRow, left_out: bool, *, expected_version: int | None = None) -> ImportRow:
    """Take a row out of the plan, or in again. ``expected_version`` is the review's. Raises ``Refused``."""
    with unit_of_work() as work:
        review = Review.objects.select_for_update().defer("content").get(pk=row.review_id)
        if review.state != ReviewState.PLANNED:
            raise Refused(f"{review} is {review.state}: only the rows of a plan can be left out or taken in.")
        ImportRow.objects.filter(pk=row.pk).update(left_out=left_out)
        work.record("review.row_left_out" if left_out else "review.row_taken_in", review.subject, after={"row": row.n})
        REVIEW.announce(review)
    row.left_out = left_out
    return row


_CLAIMED = {"fixed": FindingState.FIXED, "rejected": FindingState.REJECTED, "deferred": FindingState.OPEN}


def _finding(review: Review, row: ImportRow) -> Finding:
    item = row.item
    state = _CLAIMED.get(item.get("status") or "", FindingState.OPEN)
    said = item.get("status_reason") or ""
    return Finding(
        series=review.series,
        identity=row.identity,
        reference=(item.get("ticket_key") or item.get("ref") or "")[:40],
        title=item["title"][:300],
        severity=item.get("severity") or Severity.NONE,
        state=state,
        answer=f"The review says so. {said}".strip() if state != FindingState.OPEN else "",
    )


def _occurrence(review: Review, row: ImportRow, finding: Finding) -> Occurrence:
    item = row.item
    return Occurrence(
        finding=finding,
        review=review,
        severity_as_written=(item.get("severity_as_written") or "")[:60],
        status=item.get("status") or "",
        line_start=item["line_start"],
        line_end=item["line_end"],
        body=item.get("body") or "",
    )
