"""Code quality reports as GitLab takes them, in the form of Code Climate: a list of issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reviews.importing.forms.gathering import Gathering, fingerprint
from reviews.importing.forms.json_document import JsonDocument
from reviews.importing.forms.said import Said
from reviews.importing.forms.values import first_line, inside, line_number, line_text, listed, path_of, place, text_of
from reviews.importing.model import ParsedFinding, Severity

FORM: Final = "code climate"
MAX_TITLE: Final = 300

# Five words for five: here `critical` is the second highest.
_SEVERITIES: Final[dict[str, Severity]] = {
    "blocker": "critical",
    "critical": "high",
    "major": "medium",
    "minor": "low",
    "info": "info",
}


def recognises(document: JsonDocument) -> bool:
    """Lists of entries with a check's name, or a fingerprint, a description and a location."""
    if not all(document.is_list(root) for root in document.roots):
        return False
    return any(
        isinstance(entry.get("location"), dict)
        and "description" in entry
        and ("check_name" in entry or "fingerprint" in entry)
        for entry in document.first_entries()
    )


def read(document: JsonDocument, gathering: Gathering) -> Said:
    engines: dict[str, None] = {}
    for span in document.entries():
        entry = document.load(span)
        lines = document.lines(span)
        title = line_text(first_line(text_of(inside(entry, "description"))), MAX_TITLE)
        if not title:
            gathering.leave_out(lines, "", "an entry without a description")
            continue
        engines.setdefault(line_text(entry.get("engine_name"), 80))
        _add(entry, title, lines, gathering)
    named = ", ".join(sorted(filter(None, engines)))
    return Said("Code quality report", named or None)


def _add(entry: Mapping[str, Any], title: str, lines: tuple[int, int], gathering: Gathering) -> None:
    location = entry.get("location")
    begin, end = _lines_of(location)
    start = line_number(begin)
    if begin is not None and start is None:
        gathering.warn("A line of a location is no number of a line and was left away", lines[0])
    path = path_of(inside(location, "path"))
    word, check = line_text(entry.get("severity"), 40), line_text(entry.get("check_name"))
    mark = line_text(entry.get("fingerprint"), 2_000)
    categories = [line_text(name, 100) for name in listed(entry.get("categories"))]
    engine = line_text(entry.get("engine_name"), 80)
    texts = (text_of(entry.get("description")), text_of(inside(entry, "content", "body")))
    gathering.add(
        ParsedFinding(
            title=title,
            line_start=lines[0],
            line_end=lines[1],
            reason="an issue of a code quality report",
            confidence=1.0,
            severity=_SEVERITIES.get(word.lower()),
            severity_as_written=word or None,
            category=next(filter(None, categories), None),
            files=(place(path, start, line_number(end)),) if path else (),
            body="\n\n".join(filter(None, texts)),
            fields=tuple(pair for pair in (("Tool", engine), ("Rule", check)) if pair[1]),
            fingerprints=(fingerprint(f"{engine or 'code climate'}:fingerprint", mark),) if mark else (),
            rule=check or None,
        )
    )


def _lines_of(location: object) -> tuple[Any, Any]:
    lines = inside(location, "lines")
    if isinstance(lines, dict):
        return lines.get("begin"), lines.get("end")
    positions = inside(location, "positions")
    return inside(positions, "begin", "line"), inside(positions, "end", "line")
