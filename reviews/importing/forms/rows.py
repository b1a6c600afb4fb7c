"""One row of a table, or one object of a list, as a finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reviews.importing.forms.gathering import Gathering, Lines, fingerprint
from reviews.importing.forms.values import (
    clipped,
    cvss_severity,
    cwe_numbers,
    first_line,
    line_number,
    line_text,
    number,
    path_of,
    place,
    text_of,
    word_severity,
)
from reviews.importing.mapping import Mapping
from reviews.importing.model import ParsedFinding, Severity, Status
from reviews.importing.vocabulary import status_of

MAX_TITLE: Final = 300
MAX_BODY: Final = 4_000
MAX_FIELDS: Final = 40
MAX_FILES: Final = 40

_KEY: Final = re.compile(r"^[A-Z][A-Z0-9]{1,9}-\d{1,6}$")
_WITH_LINES: Final = re.compile(r"[:#]L?\d+(?:-L?\d+)?$")
_SEVERAL: Final = re.compile(r"\s*[;\n]\s*|,\s+")

Values = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Row:
    """`parts` says which name holds which part; `others` are the names that hold none."""

    values: Values
    parts: dict[str, str]
    others: Sequence[str]
    lines: Lines

    def part(self, part: str) -> object:
        name = self.parts.get(part)
        return None if name is None else self.values(name)

    def words(self, part: str, limit: int = 300) -> str:
        value = self.part(part)
        return line_text(", ".join(joined(value)) if isinstance(value, list) else value, limit)


def joined(value: list[object]) -> list[str]:
    return [text for text in (line_text(one, 200) for one in value[:MAX_FILES]) if text]


def add_row(row: Row, what: str, mapping: Mapping | None, gathering: Gathering) -> None:
    """The row as a finding; left out where it has no title."""
    title = line_text(first_line(text_of(row.part("title"))), MAX_TITLE)
    if not title:
        shown = next((words for name in row.others if (words := line_text(row.values(name), 80))), "")
        gathering.leave_out(row.lines, shown, f"{what} without a title")
        return
    severity, written = _severity(row, mapping)
    status, said = _status(row, mapping)
    reason = row.words("status_reason", 600) or (said if status and said.lower() != status else "")
    ref, ticket, rule = row.words("ref", 80), row.words("ticket", 40), row.words("rule")
    mark = row.words("fingerprint", 2_000)
    tool = row.words("tool", 80)
    gathering.add(
        ParsedFinding(
            title=title,
            line_start=row.lines[0],
            line_end=row.lines[1],
            reason=what,
            confidence=1.0,
            ref=ref or None,
            severity=severity,
            severity_as_written=written,
            category=row.words("category", 100) or None,
            files=_files(row, gathering),
            status=status,
            status_reason=reason or None,
            body=_body(row, title),
            fields=_fields(row),
            ticket_key=ticket if _KEY.match(ticket) else None,
            fingerprints=(fingerprint(f"{tool or 'table'}:fingerprint", mark),) if mark else (),
            rule=rule or None,
        )
    )


def _severity(row: Row, mapping: Mapping | None) -> tuple[Severity | None, str | None]:
    word = row.words("severity", 80)
    for said, meaning in mapping.severities if mapping else ():
        if said.casefold() == word.casefold():
            return meaning, word
    severity = word_severity(word) if word else None
    score = number(row.part("score"))
    if severity is None and (severity := cvss_severity(score)) is not None:
        return severity, f"{row.parts['score']} {score:g}"
    return severity, word or None


def _status(row: Row, mapping: Mapping | None) -> tuple[Status | None, str]:
    word = row.words("status", 200)
    for said, meaning in mapping.statuses if mapping else ():
        if said.casefold() == word.casefold():
            return meaning, word
    return status_of(word) if word else None, word


def _files(row: Row, gathering: Gathering) -> tuple[str, ...]:
    value = row.part("file")
    written = joined(value) if isinstance(value, list) else _SEVERAL.split(text_of(value, 2_000))
    paths = [path for path in map(path_of, written) if path][:MAX_FILES]
    said, end = row.part("line"), line_number(row.part("line_end"))
    start = line_number(said)
    if start is None and line_text(said):
        # `12-14` and `12, 80` are written in tables; anything else is no line.
        first = re.match(r"\s*L?(\d{1,8})(?:\s*[-–]\s*L?(\d{1,8}))?(?:\s*,.*)?$", text_of(said, 80))
        start = line_number(first[1]) if first else None
        end = line_number(first[2]) if first and first[2] else end
        if start is None:
            gathering.warn("A line is no number of a line and was left away", row.lines[0])
    if start is not None and len(paths) == 1 and not _WITH_LINES.search(paths[0]):
        return (place(paths[0], start, end),)
    return tuple(dict.fromkeys(paths))


def _body(row: Row, title: str) -> str:
    texts = [text_of(row.part(part), MAX_BODY) for part in ("title", "body", "fix")]
    return clipped("\n\n".join(dict.fromkeys(text for text in texts if text and text != title)), MAX_BODY)


def _fields(row: Row) -> tuple[tuple[str, str], ...]:
    pairs = [
        ("Tool", row.words("tool", 80)),
        ("Rule", row.words("rule")),
        ("Weakness", ", ".join(cwe_numbers(row.part("cwe")))),
        ("Fix", text_of(row.part("fix"), 1_000)),
    ]
    for name in row.others:
        value = row.values(name)
        text = ", ".join(joined(value)) if isinstance(value, list) else text_of(value, 600)
        pairs.append((line_text(name, 80), clipped(text, 600)))
    return tuple(pair for pair in pairs if pair[1])[:MAX_FIELDS]
