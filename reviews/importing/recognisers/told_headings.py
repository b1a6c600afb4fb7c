"""Headings in a place that says nothing of them, which show by their own words and places that they are findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.document import Section
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.recognisers.headings import candidate, groups, is_part, over_headings, over_items, pseudo
from reviews.importing.recognisers.told_lists import calls_itself_review
from reviews.importing.regions import Outline, finding_group

WEIGHT = 0.62
MIN_ALIKE = 3
MIN_NUMBERED = 2
MOST = 0.6
HALF = 0.5


def propose(outline: Outline) -> Iterator[Proposal]:
    review = calls_itself_review(outline)
    pools: dict[tuple[int, bool], list[Section]] = {}
    for section in outline.document.sections():
        if _may_be(section, outline):
            numbered = outline.title(section).number is not None
            pools.setdefault((section.level, numbered), []).append(section)
    for (_, numbered), pool in pools.items():
        if _tell(pool, outline, numbered, review):
            for section in pool:
                proposal = candidate(section, outline, "a heading among those that name what is wrong", WEIGHT)
                # Where others are surer, such headings tell how things are or should be.
                yield replace(proposal, tier=2) if isinstance(proposal, Candidate) else proposal


def _may_be(section: Section, outline: Outline) -> bool:
    if section.parent is None or section.level == 1 or pseudo(section) or not (section.blocks or section.children):
        return False
    # A numbered title over prose may name errors and group none.
    alone = outline.title(section).number is not None and not section.children and section.blocks[0].kind == "paragraph"
    named = outline.region(section).kind == "neutral" and not finding_group(section.title)
    if outline.around(section).kind != "neutral" or not (named or (alone and not outline.region(section).group)):
        return False
    if outline.title(section).dotted or is_part(section, outline) or groups(section, outline) or over_items(section):
        return False
    if over_headings(section, outline) or decoys.among_areas(section):
        return False
    return decoys.decoy_heading(section.title) is None


def _tell(pool: Sequence[Section], outline: Outline, numbered: bool, review: bool) -> bool:
    told = sum(1 for section in pool if complains(outline.title(section).title)) / len(pool)
    placed = sum(1 for section in pool if _placed(section)) / len(pool)
    if not review:
        return len(pool) >= MIN_ALIKE and told >= MOST and placed >= HALF
    if numbered and len(pool) >= MIN_NUMBERED and (told >= HALF or placed >= MOST):
        return True
    return len(pool) >= MIN_ALIKE and told >= MOST


def _placed(section: Section) -> bool:
    """Its title or the first words under it name a file."""
    return any(paths_in(text[:300], labelled=False) for text in (section.title, *_opening(section)))


def _opening(section: Section) -> list[str]:
    return [block.text for block in section.blocks[:1]]
