"""Headings with a severity tag (`... - HIGH`), and headings that stand under a severity or status heading."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing import decoys
from reviews.importing.document import Section
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.headings import candidate, groups, is_part, over_headings, over_items, pseudo
from reviews.importing.regions import Outline, finding_group

WEIGHT_TAGGED = 0.85
WEIGHT_UNDER = 0.75


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        if section.parent is None or outline.title(section).ref is not None or is_part(section, outline):
            continue
        if groups(section, outline) or outline.region(section).kind == "decoy":
            left = _left_out(section, outline)
            if left is not None:
                yield left
            continue
        parts = outline.title(section)
        around = outline.around(section)
        if parts.severity is not None and _scale(section, outline):
            yield LeftOut(section.line, section.end, parts.title[:200], "a legend of severities")
            continue
        if parts.severity is not None or parts.clean:
            yield candidate(section, outline, f"a heading with the severity {parts.severity_as_written}", WEIGHT_TAGGED)
        elif around.group and around.kind == "findings" and _listed(section, outline):
            above = around.severity_as_written or around.status or "a group"
            yield candidate(section, outline, f"a heading under {above}", WEIGHT_UNDER)


def _scale(section: Section, outline: Outline) -> bool:
    """Headings over nothing, each of another severity, say what the severities mean."""
    if section.blocks or section.children or section.parent is None:
        return False
    beside = section.parent.children[: decoys.MAX_BESIDE]
    at = beside.index(section) if section in beside else -1
    run = [other for other in beside[max(at - 4, 0) : at + 5] if not other.blocks and not other.children]
    rated = [severity for other in run if (severity := outline.title(other).severity)]
    return len(rated) >= decoys.MIN_LEGEND and len(set(rated)) == len(rated)


def _listed(section: Section, outline: Outline) -> bool:
    if decoys.among_areas(section):
        return False
    if pseudo(section):
        return bool(section.blocks)
    if finding_group(section.title) and over_headings(section, outline):
        return False
    if outline.title(section).number is None and over_items(section):
        return False
    boxes = [block for block in section.blocks if block.kind == "item"]
    all_boxes = bool(boxes) and all(block.checked is not None for block in boxes)
    return bool(section.blocks or section.children) and not (all_boxes and outline.title(section).number is None)


def _left_out(section: Section, outline: Outline) -> LeftOut | None:
    region = outline.region(section)
    parts = outline.title(section)
    if region.kind != "decoy" or not (region.own or parts.number or parts.severity):
        return None
    return LeftOut(section.line, section.end, parts.title[:200], region.decoy or "a decoy")
