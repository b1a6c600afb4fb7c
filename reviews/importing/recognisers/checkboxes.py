"""Trackers: `- [ ] ...` is open, `- [x] ...` is fixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.items import Item, candidate, items_of, leads_to_label
from reviews.importing.regions import Outline

WEIGHT_REF = 0.88
WEIGHT = 0.72
WEIGHT_ALIKE = 0.67
MIN_ALIKE = 4
MIN_LISTS = 2
MOST_LISTED = 4
MANY = 15


def propose(outline: Outline) -> Iterator[Proposal]:
    boxes = [item for item in items_of(outline) if item.block.checked is not None and item.region.kind != "decoy"]
    alike = _as_elsewhere(boxes) if outline.of_review else False
    procedure = of_procedures(outline)
    for item in boxes:
        if item.parts.ref is not None:
            yield candidate(item, f"a checkbox with the ref {item.parts.ref}", WEIGHT_REF)
        elif procedure:
            # Where most boxes are those of a procedure, so are the few under a heading that names problems.
            continue
        elif item.region.kind != "neutral" and not leads_to_label(item.section):
            yield candidate(item, "a checkbox in a list of problems", WEIGHT)
        elif alike and item.region.kind == "neutral":
            yield candidate(item, "a checkbox like those in a list of problems", WEIGHT_ALIKE)


def of_procedures(outline: Outline) -> bool:
    """Many boxes, and few of them in lists of problems: the document is a checklist of what to do."""
    boxes = problems = 0
    for section in outline.document.sections():
        ticked = sum(1 for block in section.blocks if block.checked is not None)
        boxes += ticked
        problems += ticked if outline.region(section).kind == "findings" else 0
    return boxes >= MANY and problems * MOST_LISTED < boxes


def _as_elsewhere(boxes: Sequence[Item]) -> bool:
    """Most boxes stand in lists of problems, and the others in several lists, not in one of what is left to do."""
    listed = sum(1 for item in boxes if item.region.kind == "findings")
    others = {item.section.index for item in boxes if item.region.kind == "neutral"}
    return listed >= MIN_ALIKE and listed * 2 >= len(boxes) and len(others) >= MIN_LISTS
