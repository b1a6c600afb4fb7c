"""Paragraphs with a bold lead under a status or severity heading: `**[9] - deferred (...).** Because ...`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Block, Section
from reviews.importing.fields import fields_in
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Candidate, Proposal, tier_of
from reviews.importing.recognisers.items import with_rest
from reviews.importing.regions import Outline
from reviews.importing.titles import plain, read_title
from reviews.importing.vocabulary import label_meaning, status_of

WEIGHT_REF = 0.9
WEIGHT_GROUP = 0.7
MIN_LEAD = 8

LEAD = re.compile(r"^(\*\*|__)(?=\S)(?P<lead>(?:(?!\1).)+?)\1(?P<rest>.*)", re.DOTALL)
_NUMBER_IN_BRACKETS = re.compile(r"^\[\d+\]")


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        if outline.region(section).kind == "decoy":
            continue
        for at, block in enumerate(section.blocks):
            match = LEAD.match(block.text) if block.kind == "paragraph" else None
            if match is not None and label_meaning(match["lead"]) is None:
                proposal = _read(section, at, match, outline)
                if proposal is not None:
                    yield proposal


def _read(section: Section, at: int, match: re.Match[str], outline: Outline) -> Proposal | None:
    block, region = section.blocks[at], outline.region(section)
    parts = read_title(match["lead"], outline.weak)
    parts = with_rest(parts, match["rest"].split("\n")[0])
    rated = parts.number is not None and parts.severity is not None
    named = parts.ref is not None or rated or bool(_NUMBER_IN_BRACKETS.match(match["lead"]))
    if decoys.count_row(Block("item", block.start, block.end, plain(match["lead"]))):
        return None
    if not named and not (region.group and region.kind == "findings" and len(parts.title) >= MIN_LEAD):
        return None
    end = reach(section, at)
    why_not = decoys.not_a_finding(parts, block.text)
    if why_not is not None:
        return LeftOut(block.start, end, parts.title[:200], why_not)
    rest = match["rest"].lstrip(" :—–-")
    said = status_of(rest)
    if said is not None and parts.status is None:
        parts = replace(parts, status=said, status_as_written=plain(rest)[:600])
    return Candidate(
        shape="paragraph",
        parts=parts,
        region=region,
        section=section,
        line_start=block.start,
        line_end=end,
        reason="a paragraph with a bold lead" + (f" and the ref {parts.ref or parts.number}" if named else ""),
        weight=WEIGHT_REF if named else WEIGHT_GROUP,
        tier=tier_of(region),
        block=block,
        fields=tuple(fields_in([replace(block, text=match["rest"]), *_until(section, at, end)])) if named else (),
        title=parts.title,
        alternative_title=plain(block.text),
    )


def _until(section: Section, at: int, end: int) -> list[Block]:
    return [other for other in section.blocks[at + 1 :] if other.end <= end]


def reach(section: Section, at: int) -> int:
    """A paragraph's finding reaches to the next bold lead."""
    end = section.blocks[at].end
    for block in section.blocks[at + 1 :]:
        if _starts_another(block):
            break
        end = block.end
    return end


def _starts_another(block: Block) -> bool:
    match = LEAD.match(block.text) if block.kind == "paragraph" else None
    return match is not None and label_meaning(match["lead"]) is None
