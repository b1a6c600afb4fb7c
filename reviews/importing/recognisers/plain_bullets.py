"""Bullets without any mark, under a heading that names a severity, a status or a kind of problem."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.items import candidate, items_of, leads_to_label, unfounded
from reviews.importing.regions import Outline
from reviews.importing.section_words import clings
from reviews.importing.vocabulary import leading_severity

WEIGHT_TAGGED = 0.8
WEIGHT_GROUP = 0.62
WEIGHT_LISTED = 0.5
MIN_TITLE = 8
MIN_HAN = 3
MIN_TAGGED = 24


def propose(outline: Outline) -> Iterator[Proposal]:
    for item in items_of(outline):
        if item.bold or item.block.number is not None or item.block.checked is not None:
            continue
        if len(item.parts.title) < (MIN_HAN if clings(item.parts.title) else MIN_TITLE):
            continue
        if item.parts.ref is not None:
            yield candidate(item, f"a bullet with the ref {item.parts.ref}", WEIGHT_TAGGED)
        elif item.parts.severity is not None and leading_severity(item.whole) and len(item.whole) >= MIN_TAGGED:
            yield candidate(item, f"a bullet with the severity {item.parts.severity_as_written}", WEIGHT_TAGGED)
        elif item.region.kind != "neutral" and not (leads_to_label(item.section) or unfounded(item, outline)):
            grouped = item.region.group
            weight = WEIGHT_GROUP if grouped else WEIGHT_LISTED
            yield candidate(item, "a bullet in a list of problems", weight)
