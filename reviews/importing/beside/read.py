"""All that stands beside the findings, read in one go, and named among what was left out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from reviews.importing.beside.action_items import action_items
from reviews.importing.beside.checks import checks
from reviews.importing.beside.earlier import earlier
from reviews.importing.beside.evidence import evidence
from reviews.importing.beside.files_modified import files_modified
from reviews.importing.beside.names import PartKind
from reviews.importing.beside.parts import Page, page_of
from reviews.importing.beside.test_plans import test_plans
from reviews.importing.model import (
    ActionItem,
    Check,
    Earlier,
    Evidence,
    FileModified,
    FixTier,
    LeftOut,
    Note,
    ParsedFinding,
    TestPlan,
)
from reviews.importing.regions import Outline

MAX_READ = 5_000

_REASONS: dict[PartKind, str] = {
    "files": "files modified, listed apart",
    "earlier": "about an earlier version, read apart",
    "evidence": "evidence of the work, read apart",
    "plan": "a test plan, read apart",
    "checks": "checks, listed apart",
    "actions": "action items, listed apart",
}
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Beside:
    checks: tuple[Check, ...]
    action_items: tuple[ActionItem, ...]
    files_modified: tuple[FileModified, ...]
    test_plans: tuple[TestPlan, ...]
    evidence: tuple[Evidence, ...]
    earlier: tuple[Earlier, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[Note, ...]


def read_beside(
    outline: Outline,
    findings: Sequence[ParsedFinding],
    order: Sequence[FixTier],
    *,
    version: str | None = None,
    signal_line: int | None = None,
) -> Beside:
    """`version` is the document's own; the line of its signal is a claim for itself and no evidence."""
    page = page_of(outline, findings)
    notes: list[Note] = []
    checked = _bounded("checks", sorted(checks(page), key=lambda check: check.line), notes)
    items = _bounded("action items", action_items(page, order), notes)
    files = _bounded("modified files", files_modified(page), notes)
    plans = _bounded("test plans", test_plans(page, checked), notes)
    stated = _bounded("lines of evidence", (line for line in evidence(page) if line.line != signal_line), notes)
    before = _bounded("parts about earlier versions", earlier(page, version), notes)
    lines = {entry.line for read in (checked, items, files, stated, before) for entry in read}
    lines.update(plan.line_start for plan in plans)
    left = tuple(_left_out(page, lines))
    items = tuple(sorted(items, key=lambda item: item.line))
    return Beside(checked, items, files, plans, stated, before, left, tuple(notes))


def _bounded(what: str, found: Iterable[_Read], notes: list[Note]) -> tuple[_Read, ...]:
    read = tuple(islice(found, MAX_READ + 1))
    if len(read) > MAX_READ:
        notes.append(Note(f"Only the first {MAX_READ} {what} were read."))
    return read[:MAX_READ]


def _left_out(page: Page, lines: Iterable[int]) -> Iterable[LeftOut]:
    """The announced parts from which something was read; those inside a finding belong to it."""
    ordered = sorted(lines)
    at = 0
    for part in sorted(page.parts, key=lambda part: part.line):
        end = part.end if part.label else part.section.end
        while at < len(ordered) and ordered[at] < part.line:
            at += 1
        if at == len(ordered) or ordered[at] > end or not part.named or page.finding_at(part.line) is not None:
            continue
        if not part.label and page.holds_findings(part.section):
            continue
        yield LeftOut(part.line, end, part.title[:200], _REASONS[part.kind])
