"""What the heading recognisers share: a heading as a candidate, or why it is none."""

from __future__ import annotations

import re
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.document import PSEUDO_HEADING_LEVEL, Section
from reviews.importing.fields import Field, fields_in, fields_of, lead_in, says_field
from reviews.importing.model import LeftOut
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.candidate import Candidate, Proposal, tier_of
from reviews.importing.regions import Outline
from reviews.importing.titles import TitleParts, plain
from reviews.importing.vocabulary import label_meaning

MIN_ITEMS = 2
MOST_ALIKE = 3

_BOLD = re.compile(r"^(?:[^\w\s*`]{1,3}\s*)?(?:\*\*|__)\S")
_PLACE_LAST = re.compile(r"^(?P<head>.{2,300}?)\s+[—–-]{1,2}\s+(?P<place>`[^`]{1,200}`|[^\s`]{1,200}:\d[\d,–-]{0,20})$")


def is_part(section: Section, outline: Outline) -> bool:
    """The heading names a part of something: `Problem`, `Step 2`, `Findings`."""
    parts = outline.title(section)
    if parts.ref is not None and not decoys.part_heading(section.title):
        return False
    if parts.number is None and label_meaning(parts.title) is not None and section.level > 1:
        return True
    if parts.ref is None and parts.number is None and outline.comes_again(section) and not _rates_itself(section):
        return True
    if lead_in(section) and section.parent is not None and _counted(outline.title(section.parent)):
        return True
    return decoys.part_heading(section.title) or (section.level > 1 and says_field(section.title))


def _counted(parts: TitleParts) -> bool:
    return parts.ref is not None or parts.number is not None


def _rates_itself(section: Section) -> bool:
    """The same name in several places may be a problem met again, when each place has a severity of its own."""
    return any(field.meaning in ("severity", "priority") for field in fields_in(section.blocks))


def groups(section: Section, outline: Outline) -> bool:
    region = outline.region(section)
    return region.group or (region.own and region.kind in ("plan", "recap"))


def candidate(
    section: Section, outline: Outline, reason: str, weight: float, fields: tuple[Field, ...] | None = None
) -> Proposal:
    parts, place = _apart(outline.title(section), section)
    around = outline.around(section)
    fields = fields_of(section) if fields is None else fields
    why_not = decoys.not_a_finding(parts, section.title) or _not_a_heading(section, parts, fields)
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
        tier=2 if decoys.step_of_fixing(section.title) else tier_of(around),
        fields=fields,
        cells=(("file", place),) if place else (),
        title=parts.title,
    )


def _apart(parts: TitleParts, section: Section) -> tuple[TitleParts, str]:
    """The title, and the place that stands behind it: `Loop never ends - `worker.py:12``."""
    match = _PLACE_LAST.match(parts.title)
    if match is None:
        return parts, ""
    place = match["place"] if paths_in(match["place"], labelled=False) else ""
    if not place and not _beside_places(section):
        return parts, ""
    return replace(parts, title=match["head"]), place


def _beside_places(section: Section) -> bool:
    """Where the titles beside it end in places, the last word of this one stands for a place as well."""
    beside = section.parent.children[: decoys.MAX_BESIDE] if section.parent is not None else []
    ends = [match["place"] for other in beside if (match := _PLACE_LAST.match(plain(other.title)))]
    return any(paths_in(place, labelled=False) for place in ends)


def _not_a_heading(section: Section, parts: TitleParts, fields: tuple[Field, ...]) -> str | None:
    if decoys.found_clean(section):
        return "the author calls it clean"
    states = [field.value for field in fields if field.meaning == "status"]
    if states and decoys.clean_status(states[0]) and not any(field.meaning == "severity" for field in fields):
        return "the author calls it clean"
    if decoys.decision_record(field.label for field in fields[:1]):
        return "a decision"
    if (
        section.title.rstrip(" *_").endswith(("?", "？"))
        and not fields
        and not (_counted(parts) or complains(parts.title))
    ):
        return "a question"
    return None


def over_headings(section: Section, outline: Outline) -> bool:
    """Real headings stand under it, and not only those that name its parts or come again under others like it."""
    if not _over_others(section, outline):
        return False
    beside = section.parent.children[: decoys.MAX_BESIDE] if section.parent is not None else []
    alike = [other for other in beside if other.level == section.level and other.children_are_headings()]
    # What most of those beside it have under them is the author's form, with other words here and there.
    return sum(1 for other in alike if not _over_others(other, outline)) * MOST_ALIKE < len(alike) * 2


def _over_others(section: Section, outline: Outline) -> bool:
    # Asked of each heading by those beside it as well, hence kept.
    known: dict[int, bool] = outline.kept.setdefault("over others", {})
    if section.index not in known:
        known[section.index] = _holds_others(section, outline)
    return known[section.index]


def _holds_others(section: Section, outline: Outline) -> bool:
    real = [child for child in section.children if child.level < PSEUDO_HEADING_LEVEL]
    return any(not is_part(child, outline) or outline.region(child).own for child in real)


def over_items(section: Section) -> bool:
    """A heading over nothing but several numbered or bold-led items names their category."""
    items = [block for block in section.blocks if block.kind == "item"]
    if len(items) < MIN_ITEMS or any(block.kind not in ("item", "fence") for block in section.blocks[1:]):
        return False
    if section.blocks[0].kind not in ("item", "paragraph") or section.children:
        return False
    own = [b for b in items if b.number is not None or b.checked is not None or _BOLD.match(b.text)]
    labels = sum(1 for block in items if any(field.meaning for field in fields_in([block])))
    return len(own) == len(items) and labels == 0


def pseudo(section: Section) -> bool:
    return section.level >= PSEUDO_HEADING_LEVEL
