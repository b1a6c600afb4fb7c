"""Paragraphs with a bold lead in a place that says nothing of them: complaints with their places in the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Block, Section
from reviews.importing.recognisers.bold_paragraphs import LEAD, reach
from reviews.importing.recognisers.candidate import Candidate, Proposal, Tier
from reviews.importing.recognisers.evidence import sureness
from reviews.importing.recognisers.items import Item, candidate, read_item
from reviews.importing.regions import Outline
from reviews.importing.vocabulary import label_meaning

WEIGHT = 0.6
MIN_WORDS = 2


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        if outline.region(section).kind != "neutral" or (section.level > 1 and decoys.among_areas(section)):
            continue
        items = [item for at in range(len(section.blocks)) if (item := _item(section, at, outline)) is not None]
        shown = sureness(items, outline.of_review)
        for item in items if shown is not None else ():
            found = candidate(item, "a paragraph with a bold lead among complaints with places", WEIGHT)
            yield _as_paragraph(found, 1 if shown == "rated" else 3)


def _item(section: Section, at: int, outline: Outline) -> Item | None:
    block = section.blocks[at]
    match = LEAD.match(block.text) if block.kind == "paragraph" else None
    if match is None or label_meaning(match["lead"]) is not None or decoys.decoy_heading(match["lead"]) is not None:
        return None
    if len(match["lead"].split()) < MIN_WORDS or not match["rest"].strip():
        return None
    end = reach(section, at)
    said = tuple(other for other in section.blocks[at + 1 :] if other.end <= end)
    return read_item(
        Block("item", block.start, end, block.text, children=said), section, outline.region(section), outline
    )


def _as_paragraph(proposal: Proposal, tier: Tier) -> Proposal:
    return replace(proposal, shape="paragraph", tier=tier) if isinstance(proposal, Candidate) else proposal
