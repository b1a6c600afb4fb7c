"""Reports of GitLab, of Code Climate's form, and findings of DefectDojo."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviews.importing import ParsedFinding, ParsedReview, parse

pytestmark = pytest.mark.once


def read(value: object) -> ParsedReview:
    return parse(json.dumps(value, indent=1).encode())


def notes(review: ParsedReview) -> str:
    return " ".join(note.text for note in review.notes)


def gitlab(*vulnerabilities: dict[str, Any], **scan: Any) -> dict[str, Any]:
    scanner = {"id": "sniff", "name": "Sniffer", "version": "4.1"}
    return {
        "version": "15.0.7",
        "vulnerabilities": list(vulnerabilities),
        "scan": {"type": "sast", "scanner": scanner, **scan},
    }


VULNERABILITY: dict[str, Any] = {
    "id": "5f1",
    "category": "sast",
    "name": "Teapot without a lid",
    "description": "Steam escapes.",
    "severity": "High",
    "solution": "Buy a lid.",
    "scanner": {"id": "sniff", "name": "Sniffer"},
    "location": {"file": "src/pot.py", "start_line": 4, "end_line": 6, "class": "Pot", "method": "boil"},
    "identifiers": [
        {"type": "cwe", "name": "CWE-20", "value": "20"},
        {"type": "sniff_rule", "name": "Sniff lid", "value": "lid-missing"},
    ],
    "tracking": {"items": [{"signatures": [{"algorithm": "scope_offset", "value": "pot:1"}]}]},
    "raw_source_code_extract": "password = 'tea'",
}


def test_a_vulnerability_of_gitlab_is_read_with_place_rule_and_signatures() -> None:
    review = read(gitlab(VULNERABILITY, end_time="2026-02-03T04:05:06"))
    [finding] = review.findings
    assert (review.form, review.tool, review.metadata.date) == ("gitlab", "Sniffer 4.1", "2026-02-03")
    assert (finding.title, finding.severity, finding.rule) == ("Teapot without a lid", "high", "lid-missing")
    assert finding.files == ("src/pot.py:4-6",) and finding.category == "sast"
    assert {("Sniffer:scope_offset", "pot:1"), ("Sniffer:id", "5f1")} < set(finding.fingerprints)
    fields = dict(finding.fields)
    assert (
        fields["Identifiers"] == "CWE-20, Sniff lid" and fields["Where"] == "Pot.boil" and fields["Fix"] == "Buy a lid."
    )


def test_the_code_that_a_scanner_quotes_is_not_repeated() -> None:
    [finding] = read(gitlab(VULNERABILITY)).findings
    assert "password" not in finding.body and "password" not in str(finding.fields)


def test_a_dependency_of_gitlab_names_its_package() -> None:
    location = {"file": "poetry.lock", "dependency": {"package": {"name": "tea"}, "version": "1.2"}}
    [finding] = read(gitlab({**VULNERABILITY, "location": location, "severity": "Unknown"})).findings
    assert finding.files == ("poetry.lock",) and dict(finding.fields)["Package"] == "tea 1.2"
    assert (finding.severity, finding.severity_as_written) == (None, "Unknown")


def test_a_scan_that_failed_says_so() -> None:
    review = read(gitlab(status="failure", messages=[{"level": "fatal", "value": "No tea"}]))
    assert "its scan failed" in notes(review) and "No tea" in notes(review)
    assert review.findings == ()


ISSUE: dict[str, Any] = {
    "description": "Spout is too long",
    "check_name": "spout",
    "fingerprint": "0a1",
    "severity": "major",
    "location": {"path": "pot.c", "lines": {"begin": 3, "end": 9}},
    "categories": ["Style"],
    "engine_name": "potlint",
}


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("blocker", "critical"),
        ("critical", "high"),
        ("major", "medium"),
        ("minor", "low"),
        ("info", "info"),
        ("x", None),
    ],
)
def test_five_words_of_a_code_quality_report_are_five_severities(word: str, severity: str | None) -> None:
    [finding] = read([{**ISSUE, "severity": word}]).findings
    assert (finding.severity, finding.severity_as_written) == (severity, word or None)


def test_a_code_quality_issue_is_read_with_its_place_and_fingerprint() -> None:
    positions = {"path": "lid.c", "positions": {"begin": {"line": 5, "column": 1}, "end": {"line": 5}}}
    review = read([ISSUE, {**ISSUE, "fingerprint": "0a2", "location": positions}, {"location": {}, "check_name": "x"}])
    assert (review.form, review.tool) == ("code climate", "potlint")
    first, second = review.findings
    assert (first.title, first.files, first.rule, first.category) == (
        "Spout is too long",
        ("pot.c:3-9",),
        "spout",
        "Style",
    )
    assert ("potlint:fingerprint", "0a1") in first.fingerprints
    assert second.files == ("lid.c:5",)
    assert [piece.reason for piece in review.left_out] == ["an entry without a description"]


DOJO: dict[str, Any] = {
    "title": "Cup is cracked",
    "description": "Along the handle.",
    "severity": "Medium",
    "mitigation": "Glue it.",
    "date": "2026-01-02",
    "cwe": 404,
    "cve": "CVE-2026-1",
    "file_path": "cup.py",
    "line": 12,
    "active": True,
    "verified": False,
    "unique_id_from_tool": "u-1",
    "vuln_id_from_tool": "cup-crack",
    "component_name": "cup",
    "component_version": "2",
}


def dojo(**parts: Any) -> ParsedFinding:
    [finding] = read({"name": "Cup scan", "type": "Cupper", "findings": [{**DOJO, **parts}]}).findings
    return finding


def test_a_generic_finding_of_defectdojo_is_read() -> None:
    review = read({"name": "Cup scan", "type": "Cupper", "findings": [DOJO]})
    assert (review.form, review.title, review.tool) == ("defectdojo", "Cup scan", "Cupper")
    [finding] = review.findings
    assert (finding.title, finding.severity, finding.files, finding.rule) == (
        "Cup is cracked",
        "medium",
        ("cup.py:12",),
        "cup-crack",
    )
    assert ("Cupper:unique_id_from_tool", "u-1") in finding.fingerprints
    fields = dict(finding.fields)
    assert (fields["Weakness"], fields["Vulnerability"], fields["Component"]) == ("CWE-404", "CVE-2026-1", "cup 2")
    assert (fields["Fix"], fields["Verified"], fields["Active"]) == ("Glue it.", "no", "yes")


@pytest.mark.parametrize(
    ("flags", "status", "reason"),
    [
        ({}, "open", None),
        ({"active": False}, None, None),
        ({"false_p": True}, "rejected", "false positive"),
        ({"false_p": True, "is_mitigated": True}, "rejected", "false positive"),
        ({"duplicate": True}, "rejected", "duplicate"),
        ({"is_mitigated": True, "risk_accepted": True}, "fixed", "mitigated"),
        ({"mitigated": "2026-02-01"}, "fixed", "mitigated 2026-02-01"),
        ({"risk_accepted": True}, "deferred", "risk accepted"),
        ({"out_of_scope": True}, "deferred", "out of scope"),
        ({"false_p": "false", "out_of_scope": 0}, "open", None),
    ],
)
def test_flags_of_defectdojo_are_one_status(flags: dict[str, Any], status: str | None, reason: str | None) -> None:
    finding = dojo(**flags)
    assert (finding.status, finding.status_reason) == (status, reason)


def test_severity_of_defectdojo_may_be_a_number_or_a_score() -> None:
    assert dojo(severity=None, numerical_severity="S0").severity == "critical"
    assert dojo(severity="", cvssv3_score=7.5).severity_as_written == "cvssv3_score 7.5"


def test_a_page_of_defectdojos_interface_says_that_it_is_one_of_several() -> None:
    review = read(
        {"count": 90, "next": "https://x/?offset=1", "results": [{**DOJO, "id": 4, "hash_code": "h"}, {"id": 5}]}
    )
    assert review.form == "defectdojo" and len(review.findings) == 1 and len(review.left_out) == 1
    assert "says that there are 90 findings and holds 2" in notes(review)
    assert ("defectdojo:hash_code", "h") in review.findings[0].fingerprints
