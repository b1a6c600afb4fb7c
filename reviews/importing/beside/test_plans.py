"""How the author wants something tested: for one finding, or for the whole."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from reviews.importing.beside.checks import of_part
from reviews.importing.beside.parts import Page, Part, excerpt
from reviews.importing.model import Check, TestPlan


def test_plans(page: Page, checks: Sequence[Check]) -> Iterator[TestPlan]:
    stated = sorted(check.line for check in checks)
    covered = 0
    for part in page.of("plan", "checks"):
        if not part.named or part.line <= covered or not _is_plan(part, page, stated):
            continue
        text, start, end = excerpt(part, page.document)
        if text.strip():
            covered = end
            owner = page.finding_at(part.line)
            yield TestPlan(text, start, end, owner.ref if owner is not None else None)


def _is_plan(part: Part, page: Page, stated: Sequence[int]) -> bool:
    # A heading such as `Testing` may be the category of findings.
    if not part.label and page.holds_findings(part.section):
        return False
    if part.kind == "plan":
        at = bisect_left(stated, part.line)
        return at == len(stated) or stated[at] > part.end
    # A verification that states no outcome, but commands or steps, says what is to be run.
    listed = any(block.kind in ("item", "fence") for block in part.blocks)
    return listed and next(of_part(part, page), None) is None
