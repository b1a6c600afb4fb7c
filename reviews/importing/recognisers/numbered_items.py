"""Numbered items under a heading that says that findings follow."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.items import candidate, items_of, leads_to_label, unfounded
from reviews.importing.regions import Outline

WEIGHT = 0.66


def propose(outline: Outline) -> Iterator[Proposal]:
    for item in items_of(outline):
        numbered = item.block.number is not None and item.block.checked is None
        if (
            not numbered
            or item.region.kind in ("decoy", "neutral")
            or leads_to_label(item.section)
            or unfounded(item, outline)
        ):
            continue
        yield candidate(item, "a numbered item in a list of problems", WEIGHT)
