"""What the heading recognisers share: a heading as a candidate, or why it is none."""

from __future__ import annotations

from reviews.importing import decoys
from reviews.importing.document import PSEUDO_HEADING_LEVEL, Section
from reviews.importing.fields import Field, fields_of
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Candidate, Proposal, tier_of
from reviews.importing.regions import Outline
from reviews.importing.vocabulary import label_meaning


def is_part(section: Section, outline: Outline) -> bool:
    """The heading names a part of something: `Problem`, `Step 2`, `Findings`."""
    parts = outline.title(section)
    if parts.ref is not None and not decoys.part_heading(section.title):
        return False
    if parts.number is None and label_meaning(parts.title) is not None and section.level > 1:
        return True
    return decoys.part_heading(section.title)


def groups(section: Section, outline: Outline) -> bool:
    region = outline.region(section)
    return region.group or (region.own and region.kind in ("plan", "recap"))


def candidate(
    section: Section, outline: Outline, reason: str, weight: float, fields: tuple[Field, ...] | None = None
) -> Proposal:
    parts = outline.title(section)
    around = outline.around(section)
    why_not = decoys.not_a_finding(parts, section.title)
    if why_not is not None:
        return LeftOut(section.line, section.end, parts.title[:200], why_not)
    return Candidate(
        shape="heading",
        parts=parts,
        region=around,
        section=section,
        line_start=section.line,
        line_end=section.end,
        reason=reason,
        weight=weight,
        tier=tier_of(around),
        fields=fields_of(section) if fields is None else fields,
        title=parts.title,
    )


def pseudo(section: Section) -> bool:
    return section.level >= PSEUDO_HEADING_LEVEL
