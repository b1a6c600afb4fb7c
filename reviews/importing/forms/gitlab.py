"""GitLab's security reports: SAST, secrets, dependencies, containers, DAST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reviews.importing.forms.gathering import Gathering, fingerprint
from reviews.importing.forms.json_document import JsonDocument
from reviews.importing.forms.said import Said
from reviews.importing.forms.values import (
    clipped,
    cwes,
    first_line,
    inside,
    line_number,
    line_text,
    objects,
    path_of,
    place,
    text_of,
    word_severity,
)
from reviews.importing.model import Metadata, ParsedFinding

FORM: Final = "gitlab"
LIST: Final = "vulnerabilities"
MAX_TITLE: Final = 300
MAX_BODY: Final = 4_000


def recognises(document: JsonDocument) -> bool:
    """An object with a list of vulnerabilities, and the scan, or entries with a scanner, that GitLab asks for."""
    if len(document.roots) != 1:
        return False
    members = document.members(document.roots[0])
    if LIST not in members or not document.is_list(members[LIST]):
        return False
    entries = document.first_entries(LIST)
    return ("scan" in members and "version" in members) or any(
        "identifiers" in entry and ("scanner" in entry or "location" in entry) for entry in entries
    )


def read(document: JsonDocument, gathering: Gathering) -> Said:
    members = document.members(document.roots[0])
    scan = document.load(members.get("scan"))
    scanner = line_text(inside(scan, "scanner", "name"))
    tool = " ".join(filter(None, (scanner, line_text(inside(scan, "scanner", "version"), 40))))
    if inside(scan, "status") == "failure":
        gathering.note(f"{scanner or 'The scanner'} says that its scan failed: findings may be missing.")
    for message in objects(inside(scan, "messages")):
        if message.get("level") == "fatal":
            gathering.note(f"{scanner or 'The scanner'} reports an error: {line_text(message.get('value'))}")
    for span in document.entries(LIST):
        entry = document.load(span)
        lines = document.lines(span)
        title = _title(entry)
        if not title:
            gathering.leave_out(lines, "", "an entry without a name, message or description")
            continue
        _add(entry, title, lines, scanner, gathering)
    kind = line_text(inside(scan, "type"), 40).replace("_", " ")
    named = " ".join(filter(None, (kind, f"report of {scanner}" if scanner else "")))
    when = line_text(inside(scan, "end_time"), 40).partition("T")[0]
    return Said(
        named[:1].upper() + named[1:] or None, tool or None, Metadata(date=when or None, reviewer=scanner or None)
    )


def _title(entry: object) -> str:
    for key in ("name", "message", "description"):
        if words := first_line(text_of(inside(entry, key))):
            return line_text(words, MAX_TITLE)
    first = next(objects(inside(entry, "identifiers")), {})
    return line_text(first.get("name"), MAX_TITLE)


def _add(entry: Mapping[str, Any], title: str, lines: tuple[int, int], scanner: str, gathering: Gathering) -> None:
    location = entry.get("location")
    start, end = (line_number(inside(location, key)) for key in ("start_line", "end_line"))
    if inside(location, "start_line") is not None and start is None:
        gathering.warn("A line of a location is no number of a line and was left away", lines[0])
    path = path_of(inside(location, "file"))
    word = line_text(entry.get("severity"), 40)
    identifiers = list(objects(entry.get("identifiers")))
    names = [line_text(one.get("name"), 100) or line_text(one.get("value"), 100) for one in identifiers]
    by = line_text(inside(entry, "scanner", "name")) or scanner
    rule = next((line_text(one.get("value")) for one in identifiers if not cwes(one.get("name"))), "")
    package = inside(location, "dependency", "package", "name")
    version = inside(location, "dependency", "version")
    flags = [line_text(flag.get("description")) or line_text(flag.get("type")) for flag in objects(entry.get("flags"))]
    pairs = (
        ("Scanner", by),
        ("Identifiers", ", ".join(filter(None, names))),
        ("Package", " ".join(filter(None, (line_text(package), line_text(version, 80))))),
        ("Image", line_text(inside(location, "image"))),
        ("Address", "".join(line_text(inside(location, key)) for key in ("hostname", "path"))),
        ("Where", ".".join(filter(None, (line_text(inside(location, key)) for key in ("class", "method"))))),
        ("Flags", "; ".join(filter(None, flags))),
        ("Fix", text_of(entry.get("solution"), 1_000)),
    )
    gathering.add(
        ParsedFinding(
            title=title,
            line_start=lines[0],
            line_end=lines[1],
            reason=f"a vulnerability in the report of {by or 'the scanner'}",
            confidence=1.0,
            severity=word_severity(word),
            severity_as_written=word or None,
            category=line_text(entry.get("category"), 100).replace("_", " ") or None,
            files=(place(path, start, end),) if path else (),
            # What is quoted from the code may be the very secret that was found: it is not repeated here.
            body=_body(entry, title),
            fields=tuple((label, clipped(value, 600)) for label, value in pairs if value),
            fingerprints=_fingerprints(entry, by or "gitlab"),
            rule=rule or None,
        ),
        basis="\0".join((by, rule, path, line_text(package), title)),
    )


def _body(entry: Mapping[str, Any], title: str) -> str:
    parts = [text_of(entry.get(key), MAX_BODY) for key in ("message", "description", "solution")]
    return clipped("\n\n".join(dict.fromkeys(part for part in parts if part and part != title)), MAX_BODY)


def _fingerprints(entry: Mapping[str, Any], scanner: str) -> tuple[tuple[str, str], ...]:
    found = []
    for item in objects(inside(entry, "tracking", "items")):
        for signature in objects(item.get("signatures")):
            algorithm, value = line_text(signature.get("algorithm"), 80), line_text(signature.get("value"), 2_000)
            if value:
                found.append(fingerprint(f"{scanner}:{algorithm or 'signature'}", value))
    for key in ("id", "cve"):
        if value := line_text(entry.get(key), 2_000):
            found.append(fingerprint(f"{scanner}:{key}", value))
    return tuple(dict.fromkeys(found))
