"""Trackers: `- [ ] ...` is open, `- [x] ...` is fixed."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.items import candidate, items_of, leads_to_label
from reviews.importing.regions import Outline

WEIGHT_REF = 0.88
WEIGHT = 0.72


def propose(outline: Outline) -> Iterator[Proposal]:
    for item in items_of(outline):
        if item.block.checked is None or item.region.kind == "decoy":
            continue
        if item.parts.ref is not None:
            yield candidate(item, f"a checkbox with the ref {item.parts.ref}", WEIGHT_REF)
        elif item.region.kind != "neutral" and not leads_to_label(item.section):
            yield candidate(item, "a checkbox in a list of problems", WEIGHT)
