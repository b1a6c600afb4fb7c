"""From an upload to findings: received, read by a job, planned as rows, applied."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from django.db.models import Max

from portal.core.unit import unit_of_work
from reviews.importing import BadInput as UnreadableDocument
from reviews.importing import ParsedFinding, ParsedReview, parse
from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, ReviewState, Series, Severity
from reviews.transitions import FINDING, REVIEW
from tickets.models import Project
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending

IMPORT_KIND = "review.import"
LEFT_OUT_SHOWN = 200


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
        rows = _plan(review, parsed)
        ImportRow.objects.filter(review=review).delete()
        ImportRow.objects.bulk_create(rows)
        REVIEW.move(review, "plan", reading=_reading(parsed), title=(parsed.title or review.title)[:300])


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


def identity(finding: ParsedFinding) -> str:
    """What makes two mentions the same problem in a series: its own key, else the digest of its title.

    A reference such as H1 is numbered anew in each version, so it is no identity.
    """
    if finding.ticket_key:
        return f"key:{finding.ticket_key}"
    words = " ".join(finding.title.lower().split())
    return f"title:{hashlib.sha256(words.encode()).hexdigest()[:32]}"


def _plan(review: Review, parsed: ParsedReview) -> list[ImportRow]:
    known = set(Finding.objects.filter(series=review.series).values_list("identity", flat=True))
    rows: list[ImportRow] = []
    taken: set[str] = set()
    for item in parsed.findings:
        name = base = identity(item)
        # Two items with one title in one document are two findings.
        repeat = 2
        while name in taken:
            name, repeat = f"{base}#{repeat}", repeat + 1
        taken.add(name)
        seen = name in known
        action = ImportRow.Action.SEEN if seen else ImportRow.Action.NEW
        why = "Known in this series; " if seen else "Not yet in this series; "
        rows.append(
            ImportRow(
                review=review,
                n=len(rows) + 1,
                action=action,
                reason=f"{why}read as a finding: {item.reason}"[:300],
                identity=name,
                item=_item(item),
            )
        )
    return rows


def _item(finding: ParsedFinding) -> dict[str, Any]:
    return asdict(finding) | {"fields": [list(pair) for pair in finding.fields], "files": list(finding.files)}


def _reading(parsed: ParsedReview) -> dict[str, Any]:
    return {
        "notes": [note.text for note in parsed.notes],
        "metadata": asdict(parsed.metadata),
        "stated": dict(parsed.stated_totals),
        "found": dict(parsed.found_totals),
        "disagreements": list(parsed.disagreements),
        "verdict": parsed.verdict,
        "left_out": [asdict(part) for part in parsed.left_out[:LEFT_OUT_SHOWN]],
        "left_out_more": max(0, len(parsed.left_out) - LEFT_OUT_SHOWN),
        "fix_order": [{"label": tier.label, "line": tier.line, "refs": list(tier.refs)} for tier in parsed.fix_order],
        "signal": asdict(parsed.signal) if parsed.signal else None,
    }


def apply(review: Review, *, expected_version: int | None = None) -> int:
    """Turn the plan into findings and occurrences; returns how many findings are new."""
    with unit_of_work():
        REVIEW.move(review, "apply", expected_version=expected_version)
        rows = list(ImportRow.objects.filter(review=review).order_by("n"))
        new = [_finding(review, row) for row in rows if row.action == ImportRow.Action.NEW]
        Finding.objects.bulk_create(new)
        by_identity = {finding.identity: finding for finding in Finding.objects.filter(series=review.series)}
        Occurrence.objects.bulk_create([_occurrence(review, row, by_identity[row.identity]) for row in rows])
        for finding in new:
            FINDING.announce(by_identity[finding.identity])
    return len(new)


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
