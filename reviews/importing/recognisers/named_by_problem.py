"""A heading that comes again and again, or only says that remarks follow: the words behind `Problem:` are the title."""

from __future__ import annotations

from collections.abc import Iterator

from reviews.importing.document import Section
from reviews.importing.fields import Field, fields_of
from reviews.importing.recognisers.candidate import Candidate, Proposal, tier_of
from reviews.importing.regions import Outline, finding_group
from reviews.importing.titles import plain
from reviews.importing.vocabulary import label_meaning

WEIGHT = 0.8
MIN_TITLE = 8
MAX_TITLE = 300
PROBLEM = frozenset({"issue"})
BESIDE = frozenset({"fix", "impact", "cause", "severity"})


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        if outline.region(section).kind == "decoy" or not nameless(section, outline):
            continue
        fields = fields_of(section)
        problems = [field for field in fields if field.meaning in PROBLEM and len(field.value) >= MIN_TITLE]
        if problems and any(field.meaning in BESIDE for field in fields):
            yield from _named(section, problems, fields, outline)


def nameless(section: Section, outline: Outline) -> bool:
    parts = outline.title(section)
    if section.parent is None or parts.ref is not None or parts.number is not None or label_meaning(parts.title):
        return False
    return outline.comes_again(section) and finding_group(section.title)


def _named(section: Section, problems: list[Field], fields: tuple[Field, ...], outline: Outline) -> Iterator[Candidate]:
    region = outline.region(section)
    starts = [field.line for field in problems]
    for at, field in enumerate(problems):
        last = starts[at + 1] - 1 if at + 1 < len(problems) else section.end
        title = plain(field.value.split("\n")[0][:MAX_TITLE])
        yield Candidate(
            shape="paragraph",
            parts=outline.title(section),
            region=region,
            section=section,
            line_start=field.line,
            line_end=max(last, field.line),
            reason=f"a remark that begins with {field.label}",
            weight=WEIGHT,
            tier=tier_of(region),
            fields=tuple(other for other in fields if field.line <= other.line <= last),
            title=title,
        )
