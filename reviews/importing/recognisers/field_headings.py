"""Headings under which the parts of a finding are labelled: `Severity:`, `File:`, `Impact:`, `Fix:`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Section
from reviews.importing.fields import Field, fields_of, meanings
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.recognisers.headings import candidate, groups, is_part, pseudo
from reviews.importing.regions import Outline

TELLING = frozenset({"severity", "priority", "issue", "impact", "fix", "cause", "resolved", "files"})
WEIGHT = 0.9
WEIGHT_ONE_FIELD = 0.7


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        parts = outline.title(section)
        if section.parent is None or parts.ref is not None or is_part(section, outline) or groups(section, outline):
            continue
        fields = own_fields(section)
        named = meanings(fields) & (TELLING | {"status"})
        if not _enough(section, outline, named):
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
    return bool(named) and listed and section.level > 1 and not section.children_are_headings()
