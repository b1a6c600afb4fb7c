"""In a document that calls itself no review, only what shows of itself that it is a finding is one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reviews.importing.assemble import ref_severity
from reviews.importing.complaints import complains
from reviews.importing.fields import meanings
from reviews.importing.recognisers.candidate import Candidate
from reviews.importing.regions import Outline, finding_group
from reviews.importing.titles import plain, ref_prefix
from reviews.importing.vocabulary import severity_of

MIN_PARTS = 3
OPENING = 2

_PARTS = frozenset({"issue", "impact", "fix", "cause", "files", "severity"})
# What people number besides findings: requirements, stories, tests, tasks, decisions.
_OTHER_THINGS = frozenset(
    ["FR", "NFR", "REQ", "US", "AC", "TC", "UC", "ADR", "RFC", "T", "TASK", "STORY", "EPIC", "PHASE", "STEP", "WP"]
)
_AFTERWARDS = re.compile(
    r"\b(?:post-?mortem|incident|retrospective|root cause|nachbereitung|vorfall|incidente?|incidencia|инцидент\w*|"
    r"постмортем|інцидент\w*)|事故|障害|インシデント|장애|회고",
    re.IGNORECASE,
)


def grounded(candidates: Sequence[Candidate], outline: Outline) -> list[Candidate]:
    """The candidates that may stand: all of them, where the document says that it lists what is wrong."""
    if outline.of_review or outline.inventory or _titled_so(outline):
        return list(candidates)
    prefixes = frozenset(ref_prefix(c.parts.ref).upper() for c in candidates if c.parts.ref)
    named = [c for c in candidates if c.parts.ref is not None]
    rated = [c for c in candidates if c.region.group and c.region.severity is not None]
    refs = _mostly_wrong(named) or bool(prefixes) and not prefixes & _OTHER_THINGS
    groups = _mostly_wrong(rated)
    return [
        c
        for c in candidates
        if _shows_itself(c, prefixes)
        or (refs and c.parts.ref is not None)
        or (groups and c.region.group and c.region.severity is not None)
    ]


def _titled_so(outline: Outline) -> bool:
    told = [line for line in outline.document.lines[outline.document.front.end :] if re.search(r"\w{3}", line)]
    titles = [plain(line.strip("#*=- ")) for line in told[:OPENING]]
    return any(finding_group(title) or _AFTERWARDS.search(title) for title in titles)


def _mostly_wrong(candidates: Sequence[Candidate]) -> bool:
    wrong = sum(1 for c in candidates if complains(c.title) or len(meanings(c.fields) & _PARTS) >= MIN_PARTS - 1)
    return wrong * 2 >= len(candidates) > 0


def _shows_itself(candidate: Candidate, prefixes: frozenset[str]) -> bool:
    if candidate.block is not None and candidate.block.record:
        return True
    if candidate.region.kind == "neutral" and candidate.shape in ("item", "paragraph"):
        # Recognised by its own list: by ratings, places, comments.
        return True
    said = next((field.value for field in candidate.fields if field.meaning in ("severity", "priority")), "")
    rated = candidate.parts.severity or severity_of(said) or ref_severity(candidate.parts.ref, prefixes)
    return rated is not None or len(meanings(candidate.fields) & _PARTS) >= MIN_PARTS
