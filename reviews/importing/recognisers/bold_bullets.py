"""Bullets with a bold lead: `- **Weak secret** (auth.py:3) - anybody can ...`."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.items import candidate, items_of, leads_to_label, unfounded
from reviews.importing.regions import Outline

WEIGHT_REF = 0.9
WEIGHT_TAGGED = 0.82
WEIGHT_LISTED = 0.7
MIN_TAGGED_TITLE = 12


def propose(outline: Outline) -> Iterator[Proposal]:
    for item in items_of(outline):
        if not item.bold or item.block.checked is not None or item.region.kind == "decoy":
            continue
        if item.parts.ref is not None:
            yield candidate(item, f"a bullet with the ref {item.parts.ref}", WEIGHT_REF)
        elif item.parts.severity is not None and len(item.whole) >= MIN_TAGGED_TITLE:
            yield candidate(item, f"a bullet with the severity {item.parts.severity_as_written}", WEIGHT_TAGGED)
        elif item.region.kind != "neutral" and not (leads_to_label(item.section) or unfounded(item, outline)):
            yield candidate(item, "a bullet with a bold lead in a list of problems", WEIGHT_LISTED)
