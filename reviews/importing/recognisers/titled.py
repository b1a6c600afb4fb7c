"""Headings that say that a title follows: `## Title: ...`, `### Summary: ...`, as trackers and forms of reports do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reviews.importing.document import Section
from reviews.importing.fields import fields_of, said_in_heading
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.recognisers.headings import candidate
from reviews.importing.regions import Outline
from reviews.importing.titles import plain, read_title

WEIGHT = 0.85
MIN_TITLE = 8

_TITLE = re.compile(
    r"^(?:title|summary|subject|titel|betreff|titre|título|titolo|tytuł|rubrik|onderwerp|заголовок|название|тема|назва|"
    r"标题|標題|件名|タイトル|제목)\s*[:：]\s*(?=\S)",
    re.IGNORECASE,
)


def propose(outline: Outline) -> Iterator[Proposal]:
    for parent in outline.document.sections():
        for at, section in enumerate(parent.children):
            match = _TITLE.match(plain(section.title))
            if match is None or outline.region(section).kind == "decoy":
                continue
            proposal = candidate(section, outline, "a heading that says that a title follows", WEIGHT)
            parts = read_title(plain(section.title)[match.end() :], outline.weak)
            if not isinstance(proposal, Candidate) or len(parts.title) < MIN_TITLE:
                continue
            parts = replace(
                outline.title(section), title=parts.title, severity=parts.severity or proposal.parts.severity
            )
            end, fields = section.end, list(proposal.fields)
            for other in parent.children[at + 1 :]:
                if other.level != section.level or _opens(other):
                    break
                end = other.end
                fields.extend(replace(field, line=other.line) for field in said_in_heading(other.title))
                fields.extend(fields_of(other))
            yield replace(proposal, parts=parts, title=parts.title, line_end=end, fields=tuple(fields))


def _opens(section: Section) -> bool:
    """Another report begins: with its title, or with its number."""
    return bool(_TITLE.match(plain(section.title))) or bool(re.match(r"^\W*id\b", section.title, re.IGNORECASE))
