"""What holds for any report: no surprise, no chance, no finding outside of its document, whatever its order."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviews.importing import BadInput, ParsedFinding, ParsedReview, parse, to_json

pytestmark = pytest.mark.once

SARIF: dict[str, Any] = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {
                "driver": {
                    "name": "K",
                    "rules": [
                        {
                            "id": "A",
                            "shortDescription": {"text": "Lid"},
                            "defaultConfiguration": {"level": "error", "rank": 3.0},
                            "messageStrings": {"m": {"text": "x {0}"}},
                            "relationships": [{"target": {"id": "79", "toolComponent": {"name": "CWE"}}}],
                            "properties": {"tags": ["security", "external/cwe/cwe-79"], "security-severity": "7.5"},
                        }
                    ],
                },
                "extensions": [{"name": "P", "rules": [{"id": "B"}]}],
            },
            "originalUriBaseIds": {"R": {"uri": "file:///r/"}, "S": {"uri": "s/", "uriBaseId": "R"}},
            "artifacts": [{"location": {"uri": "z.py"}}],
            "taxonomies": [{"name": "CWE", "taxa": [{"id": "20"}]}],
            "invocations": [
                {
                    "executionSuccessful": False,
                    "toolExecutionNotifications": [{"level": "error", "message": {"text": "no"}}],
                    "ruleConfigurationOverrides": [{"descriptor": {"id": "A"}, "configuration": {"level": "note"}}],
                }
            ],
            "versionControlProvenance": [{"revisionId": "abc"}],
            "results": [
                {
                    "ruleId": "A",
                    "ruleIndex": 0,
                    "rule": {"index": 0, "toolComponent": {"index": 0}},
                    "level": "warning",
                    "kind": "fail",
                    "rank": 4.5,
                    "baselineState": "new",
                    "message": {"text": "Tap {0}", "id": "m", "arguments": ["q"]},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "a%20b.py", "uriBaseId": "S", "index": 0},
                                "region": {"startLine": 3, "endLine": 4, "snippet": {"text": "s"}},
                            },
                            "logicalLocations": [{"fullyQualifiedName": "a.b"}],
                        }
                    ],
                    "relatedLocations": [{"id": 1, "message": {"text": "here"}}],
                    "codeFlows": [{"threadFlows": [{"locations": [{"location": {"message": {"text": "step"}}}]}]}],
                    "suppressions": [{"kind": "external", "status": "accepted", "justification": "j"}],
                    "taxa": [{"index": 0, "toolComponent": {"index": 0}}],
                    "partialFingerprints": {"h/v1": "1"},
                    "properties": {"tags": ["x"], "security-severity": 3.0, "category": "c"},
                },
                {"message": {"text": "Base"}, "kind": "pass"},
            ],
        }
    ],
}
GITLAB: dict[str, Any] = {
    "version": "15.0.0",
    "scan": {
        "scanner": {"name": "S"},
        "status": "failure",
        "messages": [{"level": "fatal", "value": "v"}],
        "type": "t",
    },
    "vulnerabilities": [
        {
            "name": "Lid",
            "severity": "High",
            "location": {"file": "a.py", "start_line": 1, "dependency": {"package": {"name": "p"}, "version": "1"}},
            "identifiers": [{"name": "CWE-1", "value": "1"}],
            "tracking": {"items": [{"signatures": [{"algorithm": "a", "value": "v"}]}]},
            "flags": [{"description": "d"}],
        }
    ],
}
DOJO: dict[str, Any] = {
    "count": 2,
    "findings": [
        {"title": "Lid", "severity": "Low", "false_p": True, "cwe": 3, "line": 2, "file_path": "a", "cvssv3_score": 5.5,
         "vulnerability_ids": [{"vulnerability_id": "CVE-1"}], "unique_id_from_tool": "u", "mitigated": "2026"},
    ],
}  # fmt: skip
CLIMATE: list[dict[str, Any]] = [
    {"description": "Lid", "check_name": "c", "fingerprint": "f", "severity": "minor", "categories": ["x"],
     "location": {"path": "a", "lines": {"begin": 1, "end": 2}}, "content": {"body": "b"}},
]  # fmt: skip
GITHUB: list[dict[str, Any]] = [
    {"id": 1, "pull_request_review_id": 1, "diff_hunk": "@", "path": "a", "line": 1, "original_line": 2, "body": "Lid",
     "user": {"login": "ada"}, "in_reply_to_id": 7, "commit_id": "c"},
]  # fmt: skip
THREADS: dict[str, Any] = {
    "data": {"pullRequest": {"reviewThreads": {"nodes": [
        {"isResolved": True, "isOutdated": False, "path": "a", "line": 1, "resolvedBy": {"login": "x"},
         "comments": {"nodes": [{"id": "i", "body": "Lid", "author": {"login": "a"}}, {"body": "r"}]}}]},
        "reviews": {"nodes": [{"state": "CHANGES_REQUESTED", "body": "b", "author": {"login": "a"}}]}}}
}  # fmt: skip
DISCUSSIONS: list[dict[str, Any]] = [
    {"id": "d", "individual_note": False, "notes": [
        {"id": 1, "body": "Lid", "author": {"username": "a"}, "resolvable": True, "resolved": True, "system": False,
         "position": {"new_path": "a", "new_line": 1, "line_range": {"start": {"new_line": 1}}, "head_sha": "h"}}]},
]  # fmt: skip
PLAIN: dict[str, Any] = {
    "meta": {"a": {"b": 1}},
    "issues": [{"title": "Lid", "start": {"line": 1}, "cwe": [1], "path": ["a"]}],
}
VALID = (SARIF, GITLAB, DOJO, CLIMATE, GITHUB, THREADS, DISCUSSIONS, PLAIN)

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 2**70, 1.5, 1e300, "", "x", "\x00", "\ud800", "9" * 400, [], [[]], [None], {}, {"": ""},
     {"text": 3}, {"index": -1}, "http://x/%ff", "CWE-99999999999", [{"a": []}]]
)  # fmt: skip


def slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document where something else could stand."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from slots(value[key])


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    document = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 4))):
        places = list(slots(document))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()):
            holder[key] = copy.deepcopy(draw(ODD))
        elif isinstance(holder, dict):
            del holder[key]
        else:
            holder.append(copy.deepcopy(draw(ODD)))
    return document


def attempt(data: bytes) -> ParsedReview | None:
    try:
        return parse(data)
    except BadInput as refused:
        assert refused.code and refused.message.endswith(".")
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.sampled_from([None, 1]))
def test_wrong_types_anywhere_are_read_or_refused(document: Any, indent: int | None) -> None:
    data = json.dumps(document, indent=indent).encode()
    review = attempt(data)
    if review is None:
        return
    assert to_json(review, "x") == to_json(parse(data), "x")
    json.dumps(to_json(review, "x"), ensure_ascii=False).encode()
    lines = review.text.count("\n") + 1
    for finding in review.findings:
        assert finding.title and 1 <= finding.line_start <= finding.line_end <= lines
        assert finding.fingerprints and "\x00" not in str(finding)
    assert all(1 <= piece.line_start <= piece.line_end <= lines for piece in review.left_out)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(VALID),
    st.integers(0, 10_000),
    st.sampled_from([b"", b'"', b"{", b"]", b",", b"\xff", b"\\", b"1e9"]),
)
def test_broken_text_is_read_or_refused(document: Any, where: int, instead: bytes) -> None:
    data = json.dumps(document, indent=1).encode()
    at = where % len(data)
    attempt(data[:at] + instead + data[at + 1 :])
    attempt(data[:at])


TABLE = "Title,Severity,File,Line\nLid,High,a.py,3\nBase,Low,b.py,4\n"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='aL,;\t"\n\r\x00=|1é', max_size=60), st.integers(0, len(TABLE)))
def test_any_table_is_read_or_refused(text: str, at: int) -> None:
    attempt((TABLE[:at] + text + TABLE[at:]).encode())


PIECES = st.sampled_from(
    ["<h2>Findings</h2>", "<h3>H1. Lid</h3>", "<p>", "</p>", "<ul><li>", "</ul>", "<table><tr><td>a<td>b", "</table>",
     "<pre>", "```", "<input type=checkbox checked>", "<a href='x'>", "&lt;", "<nav>",
     "</nav>", "<div hidden>", "text", "|"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_page_is_read_or_refused(text: str) -> None:
    review = attempt(f"<!doctype html>{text}".encode())
    if review is not None:
        lines = review.text.count("\n") + 1
        assert all(1 <= finding.line_start <= finding.line_end <= lines for finding in review.findings)


def material(finding: ParsedFinding) -> tuple[object, ...]:
    """All by which a finding is known again, or told from another; its lines in the document are no part of it."""
    return (
        finding.title,
        finding.files,
        finding.fingerprints,
        finding.rule,
        finding.severity,
        finding.status,
        finding.body,
    )


def many() -> Iterator[tuple[Any, list[Any]]]:
    """A document of each form with the list whose order means nothing."""
    sarif = json.loads(json.dumps(SARIF))
    results = sarif["runs"][0]["results"]
    results.extend(
        {"ruleId": "A", "message": {"text": f"Tap {n % 4}"}, "partialFingerprints": {"h": str(n % 9)}}
        for n in range(30)
    )
    yield sarif, results
    gitlab = json.loads(json.dumps(GITLAB))
    gitlab["vulnerabilities"] = [{**GITLAB["vulnerabilities"][0], "name": f"Lid {n % 5}"} for n in range(20)]
    yield gitlab, gitlab["vulnerabilities"]
    comments = [{**GITHUB[0], "id": n, "in_reply_to_id": None, "body": f"Lid {n % 5}"} for n in range(20)]
    yield comments, comments
    plain = [
        {"title": f"Lid {n % 5}", "path": "a", "line": n, ("message" if n % 2 else "owner"): "x"} for n in range(20)
    ]
    yield plain, plain


@pytest.mark.parametrize("number", range(4))
def test_a_shuffled_report_gives_the_same_findings(number: int) -> None:
    document, entries = list(many())[number]
    before = sorted(map(material, parse(json.dumps(document).encode()).findings), key=repr)
    assert len({one[2] for one in before}) == len(before) > 10
    random.Random(3).shuffle(entries)
    assert sorted(map(material, parse(json.dumps(document, indent=2).encode()).findings), key=repr) == before
