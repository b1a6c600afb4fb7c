"""DefectDojo: its Generic Findings Import, and the findings that its API lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reviews.importing.forms.gathering import Gathering, fingerprint
from reviews.importing.forms.json_document import JsonDocument
from reviews.importing.forms.said import Said
from reviews.importing.forms.values import (
    clipped,
    cvss_severity,
    cwe_numbers,
    inside,
    line_number,
    line_text,
    number,
    objects,
    path_of,
    place,
    text_of,
    truth,
    word_severity,
)
from reviews.importing.model import ParsedFinding, Severity, Status

FORM: Final = "defectdojo"
LISTS: Final = ("findings", "results")
MAX_TITLE: Final = 300
MAX_BODY: Final = 4_000

_OWN: Final = frozenset(
    {
        "false_p", "risk_accepted", "out_of_scope", "is_mitigated", "unique_id_from_tool", "vuln_id_from_tool",
        "numerical_severity", "static_finding", "dynamic_finding", "steps_to_reproduce", "severity_justification",
        "nb_occurences", "hash_code", "vulnerability_ids", "cvssv3", "cvssv3_score", "under_review",
    }
)  # fmt: skip
_NUMERICAL: Final[dict[str, Severity]] = {"S0": "critical", "S1": "high", "S2": "medium", "S3": "low", "S4": "info"}
# Nine flags can stand together. What somebody decided outranks what a scanner saw.
_FLAGS: Final[tuple[tuple[str, Status, str], ...]] = (
    ("false_p", "rejected", "false positive"),
    ("duplicate", "rejected", "duplicate"),
    ("is_mitigated", "fixed", "mitigated"),
    ("risk_accepted", "deferred", "risk accepted"),
    ("out_of_scope", "deferred", "out of scope"),
)
_PARTS: Final = (
    ("Impact", "impact"),
    ("Fix", "mitigation"),
    ("Steps", "steps_to_reproduce"),
    ("Severity because", "severity_justification"),
    ("References", "references"),
)


def recognises(document: JsonDocument) -> bool:
    """Entries with a title and a severity, and with a name that only DefectDojo's findings have."""
    if len(document.roots) != 1 or not document.is_object(document.roots[0]):
        return False
    members = document.members(document.roots[0])
    if not any(name in members and document.is_list(members[name]) for name in LISTS):
        return False
    return any("title" in entry and _OWN & set(entry) for entry in document.first_entries(*LISTS))


def read(document: JsonDocument, gathering: Gathering) -> Said:
    members = document.members(document.roots[0])
    name = line_text(document.load(members.get("name")))
    tool = line_text(document.load(members.get("type"))) or name
    seen = 0
    for span in document.entries(*LISTS):
        seen += 1
        entry = document.load(span)
        lines = document.lines(span)
        title = line_text(inside(entry, "title"), MAX_TITLE)
        if not title:
            gathering.leave_out(lines, "", "an entry without a title")
            continue
        _add(entry, title, lines, tool, gathering)
    count = document.load(members.get("count"))
    if isinstance(count, int) and count > seen:
        gathering.note(f"The export says that there are {count} findings and holds {seen}: it is one page of several.")
    return Said(name or "Findings of DefectDojo", tool or None)


def _add(entry: Mapping[str, Any], title: str, lines: tuple[int, int], tool: str, gathering: Gathering) -> None:
    written = entry.get("line")
    start = line_number(written)
    if written not in (None, 0, "") and start is None:
        gathering.warn("`line` is no number of a line and was left away", lines[0])
    path = path_of(entry.get("file_path"))
    severity, word = _severity(entry)
    status, reason = _status(entry)
    rule = line_text(entry.get("vuln_id_from_tool"))
    component = " ".join(line_text(entry.get(key), 100) for key in ("component_name", "component_version")).strip()
    ids = [line_text(one.get("vulnerability_id"), 80) for one in objects(entry.get("vulnerability_ids"))]
    pairs = (
        ("Tool", tool),
        ("Weakness", ", ".join(cwe_numbers(entry.get("cwe")))),
        ("Vulnerability", ", ".join(dict.fromkeys(filter(None, (line_text(entry.get("cve"), 80), *ids))))),
        ("Component", component),
        ("Verified", _yes_no(entry.get("verified"))),
        ("Active", _yes_no(entry.get("active"))),
        *((label, text_of(entry.get(key), 1_000)) for label, key in _PARTS),
    )
    gathering.add(
        ParsedFinding(
            title=title,
            line_start=lines[0],
            line_end=lines[1],
            reason="a finding of a DefectDojo export",
            confidence=1.0,
            severity=severity,
            severity_as_written=word,
            files=(place(path, start),) if path else (),
            status=status,
            status_reason=reason,
            body=text_of(entry.get("description"), MAX_BODY),
            fields=tuple((label, clipped(value, 1_000)) for label, value in pairs if value),
            fingerprints=_fingerprints(entry, tool or "defectdojo"),
            rule=rule or None,
        ),
        basis="\0".join((tool, rule, path, component, title)),
    )


def _severity(entry: Mapping[str, Any]) -> tuple[Severity | None, str | None]:
    word = line_text(entry.get("severity"), 40)
    numerical = line_text(entry.get("numerical_severity"), 40)
    severity = word_severity(word) or _NUMERICAL.get(numerical.upper())
    score = number(entry.get("cvssv3_score"))
    if severity is None and (severity := cvss_severity(score)) is not None:
        return severity, f"cvssv3_score {score:g}"
    return severity, word or numerical or None


def _status(entry: Mapping[str, Any]) -> tuple[Status | None, str | None]:
    for key, status, reason in _FLAGS:
        if truth(entry.get(key)):
            return status, reason
    if line_text(entry.get("mitigated")):
        return "fixed", f"mitigated {line_text(entry.get('mitigated'), 40)}"
    # What is merely inactive was closed for a reason that nobody wrote: nothing follows from it.
    return ("open" if truth(entry.get("active")) else None), None


def _yes_no(value: object) -> str:
    return "" if value is None else "yes" if truth(value) else "no"


def _fingerprints(entry: Mapping[str, Any], tool: str) -> tuple[tuple[str, str], ...]:
    found = []
    for key in ("unique_id_from_tool", "hash_code"):
        if value := line_text(entry.get(key), 2_000):
            found.append(fingerprint(f"{tool}:{key}", value))
    return tuple(found)
