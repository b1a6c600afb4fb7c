"""Headings with the author's own identifier: `H1. ...`, `CR-01: ...`, `[M-01] ...`, `Bug 3: ...`."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.recognisers.candidate import Proposal
from reviews.importing.recognisers.headings import candidate, is_part
from reviews.importing.regions import Outline
from reviews.importing.titles import ref_prefix
from reviews.importing.vocabulary import word_set

GUIDANCE = "a template or guidance"
WEIGHT = 0.95
WEIGHT_IN_DECOY = 0.6
# What people number besides findings: requirements, stories, test cases, decisions.
OTHER_THINGS = word_set("FR NFR REQ US AC TC UC ADR RFC STORY EPIC")


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        parts = outline.title(section)
        if parts.ref is None or is_part(section, outline) or ref_prefix(parts.ref) in OTHER_THINGS:
            continue
        in_decoy = outline.around(section).kind == "decoy"
        if in_decoy and (not section.blocks or outline.around(section).decoy == GUIDANCE):
            continue
        weight = WEIGHT_IN_DECOY if in_decoy else WEIGHT
        yield candidate(section, outline, f"a heading with the ref {parts.ref}", weight)
