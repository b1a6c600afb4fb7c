"""What a document says beside its findings, as it is kept with the review: bounded, and what is cut is counted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from reviews.importing.model import ParsedReview
from reviews.models import ActionItem, Check, Review

KEPT: Final = 200
ROWS_KEPT: Final = 1000
TEXT_CHARS: Final = 2000


def beside(review: Review, parsed: ParsedReview) -> tuple[list[Check], list[ActionItem]]:
    """Checks and action items, as rows."""
    checks = [
        Check(review=review, n=n, name=row.name[:300], outcome=row.outcome, detail=row.detail[:500], line=row.line)
        for n, row in enumerate(parsed.checks[:ROWS_KEPT], start=1)
    ]
    items = [
        ActionItem(review=review, n=n, text=row.text[:500], section=row.section[:200], done=row.done, line=row.line)
        for n, row in enumerate(parsed.action_items[:ROWS_KEPT], start=1)
    ]
    return checks, items


def reading(parsed: ParsedReview) -> dict[str, Any]:
    """``Review.reading``. Each list ``x`` that was cut has an ``x_more``: how many are left out."""
    lists: dict[str, tuple[Any, ...]] = {
        "notes": tuple(note.text for note in parsed.notes),
        "disagreements": parsed.disagreements,
        "left_out": parsed.left_out,
        "fix_order": parsed.fix_order,
        "cross_references": parsed.cross_references,
        "files_modified": parsed.files_modified,
        "test_plans": parsed.test_plans,
        "evidence": parsed.evidence,
        "earlier": parsed.earlier,
    }
    found: dict[str, Any] = {
        "metadata": _kept(parsed.metadata),
        "stated": dict(parsed.stated_totals),
        "found": dict(parsed.found_totals),
        "verdict": _kept(parsed.verdict),
        "signal": _kept(parsed.signal),
        "checks_more": max(0, len(parsed.checks) - ROWS_KEPT),
        "action_items_more": max(0, len(parsed.action_items) - ROWS_KEPT),
    }
    for name, rows in lists.items():
        found[name] = [_kept(row) for row in rows[:KEPT]]
        found[f"{name}_more"] = max(0, len(rows) - KEPT)
    return found


def _kept(value: Any) -> Any:
    """A value as JSON; long texts and lists are cut."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARS else f"{value[:TEXT_CHARS]}… ({len(value)} characters)"
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value[:KEPT]]
    if isinstance(value, dict):
        return {name: _kept(item) for name, item in value.items()}
    return _kept(asdict(value)) if hasattr(value, "__dataclass_fields__") else value
