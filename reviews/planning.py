"""The plan of an import: what applying a document would do, one row for each thing it would do it to."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from reviews.importing import ParsedFinding, ParsedReview
from reviews.models import Finding, ImportRow, Review
from reviews.transitions import REVIEW

LEFT_OUT_SHOWN = 200


def make(review: Review, parsed: ParsedReview) -> None:
    """Leave the plan of ``parsed`` as rows, and the review planned. Inside a unit of work."""
    rows = _rows(review, parsed)
    ImportRow.objects.filter(review=review).delete()
    ImportRow.objects.bulk_create(rows)
    REVIEW.move(
        review,
        "plan",
        reading=_reading(parsed),
        title=(parsed.title or review.title)[:300],
        planned_on=review.series.version,
    )


def identity(finding: ParsedFinding) -> str:
    """What makes two mentions the same problem in a series: its own key, else the digest of its title.

    A reference such as H1 is numbered anew in each version, so it is no identity.
    """
    if finding.ticket_key:
        return f"key:{finding.ticket_key}"
    words = " ".join(finding.title.lower().split())
    return f"title:{hashlib.sha256(words.encode()).hexdigest()[:32]}"


def _rows(review: Review, parsed: ParsedReview) -> list[ImportRow]:
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
