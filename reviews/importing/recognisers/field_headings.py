"""Headings under which the parts of a finding are labelled: `Severity:`, `File:`, `Impact:`, `Fix:`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Section
from reviews.importing.fields import Field, fields_of, meanings
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.recognisers.headings import candidate, groups, is_part, over_headings, pseudo
from reviews.importing.regions import Outline

TELLING = frozenset({"severity", "priority", "issue", "impact", "fix", "cause", "resolved", "files"})
WEIGHT = 0.9
WEIGHT_ONE_FIELD = 0.7
MIN_AGAIN = 3
MIN_SHARED = 2


def propose(outline: Outline) -> Iterator[Proposal]:
    again = _labels_again(outline)
    for section in outline.document.sections():
        parts = outline.title(section)
        if section.parent is None or parts.ref is not None or is_part(section, outline) or groups(section, outline):
            continue
        fields = own_fields(section)
        named = meanings(fields) & (TELLING | {"status"})
        if not (_enough(section, outline, named) or _of_a_form(section, outline, fields, again)):
            continue
        around = outline.around(section)
        if around.kind == "decoy":
            yield LeftOut(section.line, section.end, parts.title[:200], around.decoy or "a decoy")
            continue
        if decoys.among_areas(section) and "severity" not in named:
            yield LeftOut(section.line, section.end, parts.title[:200], "an area that was looked at, not a problem")
            continue
        said = ", ".join(sorted(named))
        weight = WEIGHT if len(named) >= 2 else WEIGHT_ONE_FIELD
        found = candidate(section, outline, f"a heading with labelled parts ({said})", weight, fields)
        # With its own place and remedy it is a finding, whatever the list is called.
        placed = isinstance(found, Candidate) and around.kind == "plan" and named >= {"files", "fix"}
        yield replace(found, tier=1) if placed and isinstance(found, Candidate) else found


def _labels_again(outline: Outline) -> Counter[tuple[int, str]]:
    """Under how many headings of each level each label stands: those that come again are this author's form."""
    counts: Counter[tuple[int, str]] = Counter()
    for section in outline.document.sections():
        counts.update({(section.level, field.label.lower()) for field in fields_of(section)})
    return counts


def _of_a_form(section: Section, outline: Outline, fields: tuple[Field, ...], again: Counter[tuple[int, str]]) -> bool:
    """Parts under labels that come again under other headings, of which one rates or names what is wrong."""
    if section.level == 1 or outline.region(section).kind == "decoy" or over_headings(section, outline):
        return False
    shared = [field for field in fields if again[section.level, field.label.lower()] >= MIN_AGAIN]
    telling = {field.meaning for field in shared} & {"severity", "priority", "issue", "impact"}
    return bool(telling) and len({field.label.lower() for field in shared}) >= MIN_SHARED


def own_fields(section: Section) -> tuple[Field, ...]:
    return fields_of(section)


def _enough(section: Section, outline: Outline, named: frozenset[str]) -> bool:
    parts = outline.title(section)
    around = outline.around(section)
    if outline.region(section).own and outline.region(section).kind == "decoy":
        return False
    if named - {"status"} <= {"cause", "fix"} and around.kind != "findings":
        # `Why` and `Action` belong to any plan.
        return False
    if pseudo(section):
        return len(named) >= 2 and bool(named & {"issue", "impact", "fix", "cause", "severity", "files"})
    if len(named) >= 2:
        return section.level > 1
    listed = around.kind == "findings" or parts.number is not None
    return bool(named) and listed and section.level > 1 and not over_headings(section, outline)
