"""Headings beside findings that are made like them: the same mark, the same labelled part first, or all alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Section
from reviews.importing.fields import fields_of
from reviews.importing.recognisers.candidate import Candidate
from reviews.importing.recognisers.headings import candidate, groups, is_part, over_headings, pseudo
from reviews.importing.regions import Outline
from reviews.importing.titles import plain

WEIGHT = 0.7
MAX_BESIDE = 400
MIN_MOST = 3
# The fields that open a finding; `Note:` or `Status:` opens anything.
OPENING = frozenset({"files", "issue", "impact", "cause", "severity"})

_RATING_MARK = re.compile(
    "^[\U0001f534\U0001f7e0\U0001f7e1\U0001f7e3\U0001f535\u26aa\u26ab\u2757\u274c\u26a0\U0001f6a8]"
)


def complete(outline: Outline, found: Sequence[Candidate], refused: frozenset[int]) -> Iterator[Candidate]:
    """The headings to be added to those found; one that was refused stays out."""
    lines = {c.line_start for c in found if c.shape == "heading" and c.tier == 1}
    for section in outline.document.sections():
        beside = section.children[:MAX_BESIDE]
        known = [child for child in beside if child.line in lines]
        marked = [child for child in beside if _mark(child) and _may_be(child, outline)]
        forms = {(child.level, first) for child in known if (first := _first_label(child)) is not None}
        levels = {child.level for child in known if _mark(child)}
        planned = outline.region(section).kind == "plan"
        if len({child.level for child in marked}) == 1 and len(marked) >= 2 and not planned:
            levels.add(marked[0].level)
        others = [child for child in beside if child.line not in lines | refused and _may_be(child, outline)]
        most = len(known) >= MIN_MOST and len(others) * 3 <= len(known) and _lists(section, outline)
        for child in others:
            alike = (child.level, _first_label(child)) in forms or (child.level in levels and _mark(child))
            in_line = most and child.level == known[0].level
            proposal = candidate(child, outline, "a heading made like those beside it", WEIGHT)
            if (alike or in_line) and isinstance(proposal, Candidate):
                yield replace(proposal, tier=1)


def _lists(section: Section, outline: Outline) -> bool:
    return outline.region(section).kind == "findings"


def _may_be(section: Section, outline: Outline) -> bool:
    region = outline.region(section)
    if pseudo(section) or not section.blocks or region.kind in ("decoy", "recap") or section.level == 1:
        return False
    if is_part(section, outline) or groups(section, outline) or over_headings(section, outline):
        return False
    return not decoys.among_areas(section)


def _mark(section: Section) -> bool:
    return bool(_RATING_MARK.match(section.title.lstrip("*_ ")))


def _first_label(section: Section) -> str | None:
    """The label that stands first under the heading, when it is one that opens a finding."""
    field = next(iter(fields_of(section)), None)
    if field is None or field.meaning not in OPENING:
        return None
    return plain(field.label).lower()
