"""Findings as a SARIF 2.1.0 log of one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from django.db.models import QuerySet

from reviews.exporting.rows import Row, rows, why
from reviews.models import Finding, FindingState, Severity

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RULE: Final = "finding"
# The level is coarse: the score tells critical from important, as code scanning reads it.
LEVELS: Final[dict[str, tuple[str, str]]] = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "2.0"),
}
_PLACE: Final = re.compile(
    r"^(?P<path>.+?)(?::|#L|\s+\(?(?:lines?|L)\s*)(?P<start>[1-9]\d{0,8})(?:\D{1,5}(?P<end>[1-9]\d{0,8}))?\)?$",
    re.DOTALL,
)
_LINKS: Final = re.compile(r"([\[\]\\])")


def pieces(found: QuerySet[Finding], most: int, total: int) -> Iterator[str]:
    """The results first: their rules, and whether all are here, are known when they are written."""
    rules: dict[str, None] = {}
    yield f'{{"$schema": "{SCHEMA}", "version": "2.1.0", "runs": [{{"results": ['
    for number, row in enumerate(rows(found, most)):
        result = result_of(row)
        rules.setdefault(result["ruleId"])
        yield f"{',' if number else ''}\n{json.dumps(result, ensure_ascii=False)}"
    driver = {"name": "Shiproom", "rules": [{"id": rule} for rule in rules]}
    shown = {"total": total, "most": most, "cut": total > most}
    yield f'\n], "tool": {json.dumps({"driver": driver}, ensure_ascii=False)}, '
    yield f'"columnKind": "unicodeCodePoints", "properties": {{"shown": {json.dumps(shown)}}}}}]}}\n'


def result_of(row: Row) -> dict[str, Any]:
    finding = row.finding
    found: dict[str, Any] = {
        "ruleId": finding.rule.strip() or RULE,
        # A bracket begins a link in these messages, unless it is escaped.
        "message": {"text": _LINKS.sub(r"\\\1", finding.title)},
        **_rated(finding),
        "locations": [_location(str(place)) for place in finding.files],
        "partialFingerprints": _prints(row),
        "properties": _properties(row),
    }
    if state := _baseline(row):
        found["baselineState"] = state
    if suppression := _suppression(finding):
        found["suppressions"] = [suppression]
    return found


def _rated(finding: Finding) -> dict[str, Any]:
    """Kind and level; by the standard, what is no failure has the level none."""
    if finding.severity == Severity.INFO:
        return {"kind": "informational", "level": "none"}
    if finding.severity == Severity.NONE:
        return {"kind": "fail"}
    return {"kind": "fail", "level": LEVELS[finding.severity][0]}


def _properties(row: Row) -> dict[str, Any]:
    finding = row.finding
    said = {
        "reference": finding.reference,
        "category": finding.category,
        "state": finding.state,
        "severity": finding.severity,
        "standing": row.standing,
        "ticket": finding.ticket.key if finding.ticket else "",
        "project": finding.series.project.key,
        "series": finding.series.name,
        "security-severity": LEVELS[finding.severity][1] if finding.severity in LEVELS else "",
    }
    return {name: value for name, value in said.items() if value}


def _location(place: str) -> dict[str, Any]:
    read = _PLACE.match(place)
    path = read["path"] if read else place
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(path.replace("\\", "/"), safe="/.-_~")}}
    if read:
        start, end = int(read["start"]), int(read["end"] or 0)
        physical["region"] = {"startLine": start} | ({"endLine": end} if end > start else {})
    return {"physicalLocation": physical}


def _prints(row: Row) -> dict[str, str]:
    """By algorithm and its version, as the standard names them; of one algorithm there may be several."""
    found: dict[str, str] = {}
    for one in row.prints:
        name = f"{one.algorithm}/v{one.version}"
        several = sum(1 for known in found if known == name or known.startswith(f"{name}#"))
        found[f"{name}#{several + 1}" if several else name] = one.value
    return found


def _baseline(row: Row) -> str:
    """Against the versions before the newest of its series; what was fixed is absent, whatever its series has."""
    if row.finding.state == FindingState.FIXED:
        return "absent"
    if not row.said_twice:
        return ""
    return "new" if row.is_new else "unchanged"


def _suppression(finding: Finding) -> dict[str, str]:
    """Why nobody works on it: accepted where that was decided, under review while it is only put off."""
    statuses = {FindingState.REJECTED: "accepted", FindingState.WAIVED: "accepted", FindingState.MERGED: "accepted"}
    status = statuses.get(FindingState(finding.state), "underReview" if finding.state == FindingState.DEFERRED else "")
    if not status:
        return {}
    return {"kind": "external", "status": status, "justification": why(finding) or finding.get_state_display()}
