"""Lists in a place that says nothing of them, which show by their own items that they list findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.document import PSEUDO_HEADING_LEVEL, Section
from reviews.importing.model import LeftOut
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.candidate import Candidate, Proposal, Tier
from reviews.importing.recognisers.evidence import sureness
from reviews.importing.recognisers.items import Item, candidate, items_of, leads_to_label
from reviews.importing.regions import Outline

GUIDE = 4

_WEIGHTS: dict[str, float] = {"commented": 0.8, "fielded": 0.82, "rated": 0.72, "placed": 0.64, "complaining": 0.5}
_SAID = {
    "commented": "comments",
    "fielded": "told in labelled parts",
    "rated": "rated",
    "placed": "complaints with places",
    "complaining": "complaints",
}
_TIERS: dict[str, Tier] = {"commented": 1, "fielded": 1, "rated": 1, "placed": 1, "complaining": 3}


def propose(outline: Outline) -> Iterator[Proposal]:
    guide = any(decoys.guide_title(line) for line in outline.document.lines[:GUIDE])
    for _, group in groupby(items_of(outline), key=lambda item: item.section.index):
        items = [item for item in group if item.region.kind == "neutral"]
        section = items[0].section if items else outline.document.root
        if not items or guide or leads_to_label(section) or _among_areas(items, section):
            continue
        shown = sureness(items, outline.of_review)
        if shown is None or (shown in ("placed", "complaining") and _told_of(section)):
            continue
        for item in items:
            if shown == "rated" and not _as_the_others(item):
                yield LeftOut(item.block.start, item.block.end, item.parts.title[:200], "not rated as those beside it")
                continue
            tier: Tier = 3 if item.block.logged else _TIERS[shown]
            reason = f"an item of a list whose items are {_SAID[shown]}"
            yield _tiered(candidate(item, reason, _WEIGHTS[shown]), tier)


def _among_areas(items: Sequence[Item], section: Section) -> bool:
    comments = all(item.block.record for item in items)
    return not comments and section.level > 1 and decoys.among_areas(section)


def _tiered(proposal: Proposal, tier: Tier) -> Proposal:
    return replace(proposal, tier=max(tier, proposal.tier)) if isinstance(proposal, Candidate) else proposal


def _told_of(section: Section) -> bool:
    """A heading that complains itself is what the list under it tells of."""
    return (
        section.level > 1
        and section.level < PSEUDO_HEADING_LEVEL
        and complains(section.title)
        and len(section.title.split()) > 2
    )


def _as_the_others(item: Item) -> bool:
    """Among rated items, one without rating, place and complaint tells something else."""
    if item.parts.severity is not None or item.opening.marked:
        return True
    return complains(item.whole) or bool(paths_in(item.block.text, labelled=False))


def calls_itself_review(outline: Outline) -> bool:
    """The document calls itself a review, an audit, a list of bugs, in its first words."""
    return outline.of_review
