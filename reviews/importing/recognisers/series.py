"""Headings whose numbers run on through the document, across the headings above them: the author counts findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.document import Section
from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.headings import candidate
from reviews.importing.regions import Outline

WEIGHT = 0.8
MIN_LENGTH = 4
MAX_GAP = 2


def propose(outline: Outline) -> Iterator[Proposal]:
    for run in _runs(outline):
        if not _of_findings(run, outline):
            continue
        for section in run:
            if outline.around(section).kind != "decoy" and outline.region(section).kind != "decoy":
                number = outline.title(section).number
                yield candidate(section, outline, f"heading {number} of a count through the document", WEIGHT)


def _runs(outline: Outline) -> Iterator[Sequence[Section]]:
    """The longest counts at each level that start at one and go on under another heading."""
    levels: dict[int, list[Section]] = {}
    for section in outline.document.sections():
        parts = outline.title(section)
        if parts.number is None or parts.dotted or parts.ref is not None or decoys.part_heading(section.title):
            continue
        if section.level > 1 and outline.around(section).kind != "decoy":
            levels.setdefault(section.level, []).append(section)
    for sections in levels.values():
        run: list[Section] = []
        for section in sections:
            number = int(outline.title(section).number or 0)
            before = int(outline.title(run[-1]).number or 0) if run else 0
            if not before < number <= before + MAX_GAP:
                if _counts_on(run):
                    yield run
                run = []
                if number > MAX_GAP:
                    continue
            run.append(section)
        if _counts_on(run):
            yield run


def _of_findings(run: Sequence[Section], outline: Outline) -> bool:
    """A tutorial may number on as well: the document is a review, or the headings speak of what is wrong."""
    if outline.of_review or any(outline.around(section).kind == "findings" for section in run):
        return True
    told = sum(1 for section in run if complains(outline.title(section).title))
    return told * 2 >= len(run)


def _counts_on(run: Sequence[Section]) -> bool:
    if len(run) < MIN_LENGTH:
        return False
    above = [section.parent.index for section in run if section.parent is not None]
    # Three or more under one heading and the count goes on under the next: no outline of a text is numbered so.
    return len(set(above)) >= 2 and len(above) > len(set(above))
