"""Numbered or plain headings under a category of problems: concerns audits, lists of improvements."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.document import Section
from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.headings import candidate, groups, is_part, over_headings, pseudo
from reviews.importing.regions import Outline, finding_group

WEIGHT_NUMBERED = 0.7
WEIGHT_NAMED = 0.62
WEIGHT_PLAIN = 0.55
WEIGHT_INVENTORY = 0.65


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        if section.parent is None or section.level == 1 or pseudo(section) or outline.title(section).ref is not None:
            continue
        around = outline.around(section)
        listed = around.kind == "findings" or (outline.inventory and around.kind == "neutral")
        if not listed or around.group or is_part(section, outline) or groups(section, outline):
            continue
        if not section.blocks and not section.children or decoys.among_areas(section):
            continue
        parts = outline.title(section)
        if outline.region(section).kind == "decoy" or over_headings(section, outline):
            continue
        if parts.number is not None:
            yield candidate(section, outline, "a numbered heading under a list of problems", WEIGHT_NUMBERED)
        elif outline.inventory and section.blocks and around.own is False and around.kind == "neutral":
            yield candidate(section, outline, "a heading of a document that lists known problems", WEIGHT_INVENTORY)
        elif complains(parts.title) and not over_boxes(section):
            yield candidate(section, outline, "a heading under a list of problems that names one", WEIGHT_NAMED)
        elif not finding_group(section.title) and _prose_first(section):
            yield candidate(section, outline, "a heading under a list of problems", WEIGHT_PLAIN)


def over_boxes(section: Section) -> bool:
    """Nothing but boxes to tick: each of them is a finding, and the heading what they are about."""
    return bool(section.blocks) and all(block.checked is not None for block in section.blocks)


def _prose_first(section: Section) -> bool:
    """A heading over a bare list names a category; one over text names a problem."""
    return bool(section.blocks) and section.blocks[0].kind in ("paragraph", "fence")
