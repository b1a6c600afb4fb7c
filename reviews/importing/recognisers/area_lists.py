"""`**Issues:**` and a list under a heading that names an area: they count where nothing surer is listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reviews.importing.document import PSEUDO_HEADING_LEVEL, Section
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.recognisers.items import candidate, items_of
from reviews.importing.regions import Outline, finding_group
from reviews.importing.titles import plain

WEIGHT = 0.6
MIN_AREAS = 2
MAX_WORDS = 3


def propose(outline: Outline) -> Iterator[Proposal]:
    lists = [section for section in outline.document.sections() if _lists_problems(section, outline)]
    if len({section.parent.index for section in lists if section.parent is not None}) < MIN_AREAS:
        return
    known = {section.index for section in lists}
    for item in items_of(outline):
        if item.section.index in known:
            proposal = candidate(item, "an item of a list of problems in an area", WEIGHT)
            yield replace(proposal, tier=2) if isinstance(proposal, Candidate) else proposal


def _lists_problems(section: Section, outline: Outline) -> bool:
    title = plain(section.title).strip(" :*")
    if section.level < PSEUDO_HEADING_LEVEL or section.parent is None or len(title.split()) > MAX_WORDS:
        return False
    return outline.region(section).kind in ("neutral", "findings") and finding_group(title)
