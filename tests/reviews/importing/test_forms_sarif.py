"""SARIF 2.1.0: what each part of a result becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reviews.importing import BadInput, ParsedFinding, ParsedReview, parse

pytestmark = pytest.mark.once

RULES = [
    {
        "id": "LK-1",
        "name": "LeakyKettle",
        "shortDescription": {"text": "Kettle leaks"},
        "fullDescription": {"text": "A kettle that leaks wets the table."},
        "defaultConfiguration": {"level": "error"},
        "messageStrings": {"seam": {"text": "Seam {0} of {1} is open, {{really}}"}},
        "properties": {"tags": ["external/cwe/cwe-0401", "plumbing"]},
        "helpUri": "https://example.org/lk-1",
    },
    {"id": "LK-2", "properties": {"security-severity": "9.1", "tags": ["security"]}},
    {"id": "LK-3", "defaultConfiguration": {"level": "note", "rank": 95.0}},
]


def log(*results: dict[str, Any], **run: Any) -> bytes:
    one = {"tool": {"driver": {"name": "Kettler", "version": "3", "rules": RULES}}, "results": list(results), **run}
    return json.dumps({"version": "2.1.0", "runs": [one]}, indent=1).encode()


def result(text: str = "Kettle 1 drips", **parts: Any) -> dict[str, Any]:
    return {"ruleId": "LK-1", "message": {"text": text}, **parts}


def at(uri: str, start: object = None, end: object = None, **more: Any) -> dict[str, Any]:
    region = {key: value for key, value in (("startLine", start), ("endLine", end)) if value is not None}
    return {"physicalLocation": {"artifactLocation": {"uri": uri, **more}, "region": region}}


def only(data: bytes) -> ParsedFinding:
    [finding] = parse(data).findings
    return finding


def notes(review: ParsedReview) -> str:
    return " ".join(note.text for note in review.notes)


def test_a_result_says_its_title_rule_tool_and_weakness() -> None:
    review = parse(log(result("Kettle 1 drips. It has done so since May.")))
    [finding] = review.findings
    assert (review.form, review.tool, review.title) == ("sarif", "Kettler 3", "Results of Kettler 3")
    assert finding.title == "Kettle 1 drips. It has done so since May."
    assert (finding.rule, finding.category, finding.severity) == ("LK-1", "plumbing", "high")
    assert dict(finding.fields)["Weakness"] == "CWE-401"
    assert finding.body.startswith("Kettle 1 drips. It has done so since May.")
    assert "A kettle that leaks wets the table." in finding.body


def test_the_message_is_written_out_of_the_rule_and_the_title_is_its_first_sentence() -> None:
    said = {"id": "seam", "arguments": ["4", "the [blue kettle](1)"]}
    assert only(log({"ruleId": "LK-1", "message": said})).title == "Seam 4 of the blue kettle is open, {really}"
    assert only(log(result("The lid of the kettle is loose. More of it."))).title == "The lid of the kettle is loose."
    assert only(log({"ruleId": "LK-1"})).title == "Kettle leaks"


@pytest.mark.parametrize(
    ("parts", "severity", "written"),
    [
        ({"ruleId": "LK-1"}, "high", "error"),
        ({"ruleId": "LK-1", "level": "note"}, "low", "note"),
        ({"ruleId": "LK-2"}, "critical", "security-severity 9.1"),
        ({"ruleId": "LK-2", "level": "note"}, "critical", "security-severity 9.1"),
        ({"ruleId": "LK-2", "properties": {"security-severity": "0.1"}}, "low", "security-severity 0.1"),
        ({"ruleId": "LK-3"}, "low", "note"),
        ({"ruleId": "none", "rank": 72}, "high", "rank 72"),
        ({"ruleId": "none", "rank": -1}, "medium", None),
        ({"ruleId": "none"}, "medium", None),
        ({"ruleId": "none", "kind": "informational", "level": "none"}, "info", "informational"),
        ({"ruleId": "none", "kind": "open"}, "info", None),
        ({"ruleId": "none", "level": "SUPER"}, None, "SUPER"),
    ],
)
def test_severity_comes_from_score_level_rule_and_rank_in_this_order(
    parts: dict[str, Any], severity: str | None, written: str | None
) -> None:
    finding = only(log(result(**parts)))
    assert (finding.severity, finding.severity_as_written) == (severity, written)


def test_a_level_that_the_run_was_started_with_outranks_the_rules_own() -> None:
    override = {"descriptor": {"id": "LK-1"}, "configuration": {"level": "note"}}
    invocation = {"executionSuccessful": True, "ruleConfigurationOverrides": [override]}
    assert only(log(result(), invocations=[invocation])).severity == "low"


@pytest.mark.parametrize("kind", ["pass", "notApplicable"])
def test_what_passed_or_does_not_apply_is_left_out_with_the_reason(kind: str) -> None:
    review = parse(log(result(kind=kind), result("Another drips")))
    assert [finding.title for finding in review.findings] == ["Another drips"]
    [left] = review.left_out
    assert kind in left.reason and left.text == "Kettle 1 drips" and left.line_start < left.line_end


ACCEPTED = {"kind": "external", "status": "accepted", "justification": "Lives in the garden."}


@pytest.mark.parametrize(
    ("parts", "status", "reason"),
    [
        ({}, None, None),
        ({"kind": "review"}, "open", None),
        ({"baselineState": "new"}, "open", None),
        ({"baselineState": "unchanged"}, "open", None),
        ({"baselineState": "updated"}, "open", None),
        ({"baselineState": "absent"}, "fixed", "no longer found (baselineState: absent)"),
        ({"suppressions": []}, None, None),
        ({"suppressions": [ACCEPTED]}, "rejected", "Lives in the garden."),
        ({"suppressions": [{"kind": "inSource"}]}, "rejected", "suppressed (inSource), without a justification"),
        ({"suppressions": [{"kind": "external", "status": "underReview"}]}, "open", "suppression under review"),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, "open", "suppression rejected"),
        ({"suppressions": [ACCEPTED, {"kind": "external", "status": "rejected"}]}, "open",
         "suppression rejected: Lives in the garden."),
        ({"suppressions": [ACCEPTED], "baselineState": "absent"}, "fixed", "no longer found (baselineState: absent)"),
    ],
)  # fmt: skip
def test_baseline_and_suppressions_say_the_status(
    parts: dict[str, Any], status: str | None, reason: str | None
) -> None:
    finding = only(log(result(**parts)))
    assert (finding.status, finding.status_reason) == (status, reason)


def test_every_location_is_kept_with_its_lines_and_related_ones_stand_in_the_body() -> None:
    related = {"id": 1, "message": {"text": "poured here"}, **at("src/can.py", 7)}
    finding = only(
        log(result(locations=[at("src/a%20b.py", 3, 5), at("src/c.py", 9), at("src/d.py")], relatedLocations=[related]))
    )
    assert finding.files == ("src/a b.py:3-5", "src/c.py:9", "src/d.py")
    assert "- src/can.py:7 poured here" in finding.body


def test_paths_do_not_differ_from_machine_to_machine() -> None:
    bases = {
        "ROOT": {"uri": "file:///home/build/7/"},
        "SRC": {"uri": "lib/", "uriBaseId": "ROOT"},
        "LOOP": {"uri": "x/", "uriBaseId": "POOL"},
        "POOL": {"uri": "y/", "uriBaseId": "LOOP"},
    }
    uris = [
        at("a.py", uriBaseId="ROOT"),
        at("a.py", uriBaseId="SRC"),
        at("file:///home/build/7/lib/b.py"),
        at("a.py", uriBaseId="LOOP"),
        at("./win\\c.py"),
        at("file:///C:/w/d.py"),
    ]
    finding = only(log(result(locations=uris), originalUriBaseIds=bases))
    assert finding.files == ("a.py", "lib/a.py", "lib/b.py", "y/x/a.py", "win/c.py", "C:/w/d.py")


def test_an_artifact_that_is_named_by_its_number_is_found() -> None:
    location = {"physicalLocation": {"artifactLocation": {"index": 1}, "region": {"startLine": 2}}}
    artifacts = [{"location": {"uri": "x.py"}}, {"location": {"uri": "y.py"}}]
    assert only(log(result(locations=[location]), artifacts=artifacts)).files == ("y.py:2",)
    location["physicalLocation"]["artifactLocation"]["index"] = 9
    assert only(log(result(locations=[location]), artifacts=artifacts)).files == ()


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "http://169.254.169.254/latest", "../../x", "/etc/shadow"])
def test_any_path_is_text(uri: str) -> None:
    assert only(log(result(locations=[at(uri, 1)]))).files[0].endswith(uri.removeprefix("file://") + ":1")


@pytest.mark.parametrize("line", [-1, 0, 2**40, "5", True, 1.5, [], {}])
def test_a_line_that_is_none_is_told_and_the_rest_is_read(line: object) -> None:
    review = parse(log(result(locations=[at("a.py", line)]), result("Another drips")))
    assert [finding.files for finding in review.findings] == [("a.py",), ()]
    [note] = [note for note in review.notes if "no number of a line" in note.text]
    assert note.lines == (review.findings[0].line_start,)


def test_fingerprints_are_kept_with_tool_and_algorithm_and_one_is_its_own() -> None:
    finding = only(
        log(result(partialFingerprints={"hash/v1": "abc"}, fingerprints={"f": "x" * 900}, correlationGuid="g"))
    )
    known = dict(finding.fingerprints)
    assert known["Kettler:hash/v1"] == "abc" and known["Kettler:correlationGuid"] == "g"
    assert known["Kettler:f"].startswith("sha256:") and len(known["content/1"]) == 32


def test_a_fingerprint_that_all_results_bear_identifies_none() -> None:
    same = {"partialFingerprints": {"hash/v1": "0"}}
    review = parse(log(result(**same), result("Another drips", **same), result("Another drips", **same)))
    assert "1 fingerprint(s) stand on more than one finding" in notes(review)
    assert len({finding.fingerprints for finding in review.findings}) == 3
    assert all([name for name, _ in finding.fingerprints] == ["content/1"] for finding in review.findings)


def test_own_fingerprints_stay_when_results_are_shuffled_and_lines_move() -> None:
    results = [result(locations=[at("a.py", n * 10)]) for n in range(1, 6)] + [result("Lid"), result("Base")]
    moved = [result(locations=[at("a.py", n * 10 + 7)]) for n in range(1, 6)] + [result("Lid"), result("Base")]
    before = {f.fingerprints for f in parse(log(*results)).findings}
    assert len(before) == 7
    assert {f.fingerprints for f in parse(log(*reversed(moved))).findings} == before


def test_taxa_and_relationships_are_weaknesses() -> None:
    taxonomy = {"name": "CWE", "guid": "1-2", "taxa": [{"id": "79"}, {"id": "89"}]}
    taxa = [
        {"id": "79", "toolComponent": {"name": "CWE"}},
        {"index": 1, "toolComponent": {"index": 0}},
        {"id": "A3", "toolComponent": {"name": "OWASP"}},
    ]
    finding = only(log({"message": {"text": "Tap drips"}, "taxa": taxa}, taxonomies=[taxonomy]))
    assert dict(finding.fields)["Weakness"] == "CWE-79, CWE-89, OWASP A3"


def test_a_rule_of_an_extension_and_a_part_of_a_rule_are_found() -> None:
    tool = {
        "driver": {"name": "K", "rules": [{"id": "A", "defaultConfiguration": {"level": "note"}}]},
        "extensions": [{"name": "P", "rules": [{"id": "B", "defaultConfiguration": {"level": "error"}}]}],
    }
    of_extension = {"message": {"text": "one"}, "rule": {"index": 0, "toolComponent": {"index": 0}}}
    part = {"message": {"text": "two"}, "ruleId": "A/1", "ruleIndex": 0}
    found = parse(log(of_extension, part, tool=tool)).findings
    assert [(finding.rule, finding.severity) for finding in found] == [("B", "high"), ("A/1", "low")]


def test_a_rule_index_that_points_nowhere_is_told_and_the_result_is_read() -> None:
    review = parse(log({"ruleIndex": 99, "message": {"text": "Tap drips"}}, {"message": {"text": "Lid"}}))
    assert [(finding.title, finding.rule) for finding in review.findings] == [("Tap drips", None), ("Lid", None)]
    assert "ruleIndex points to no rule of the tool: line" in notes(review)


def test_a_run_that_failed_says_so() -> None:
    invocation = {
        "executionSuccessful": False,
        "exitCodeDescription": "out of tea",
        "toolExecutionNotifications": [{"level": "error", "message": {"text": "No water"}}],
    }
    said = notes(parse(log(invocations=[invocation])))
    assert "Kettler says that its run was not successful (out of tea): results may be missing." in said
    assert "No water" in said


def test_several_runs_are_read_one_after_the_other() -> None:
    runs = [{"tool": {"driver": {"name": name}}, "results": [{"message": {"text": f"of {name}"}}]} for name in "AB"]
    review = parse(json.dumps({"runs": [*runs, {"tool": {}}, {"results": None}], "version": "2.1.0"}).encode())
    assert [finding.title for finding in review.findings] == ["of A", "of B"]
    assert [finding.reason for finding in review.findings] == ["a result of A", "a result of B in run 2"]
    assert review.tool == "A, B" and "A run does not name its tool" in notes(review)


@pytest.mark.parametrize("runs", ["[]", "null", '[{"tool": {"driver": {"rules": [], "name": "K"}, "extensions": []}}]'])
def test_a_log_without_results_is_read_and_not_refused(runs: str) -> None:
    review = parse(f'{{"version": "2.1.0", "runs": {runs}}}'.encode())
    assert review.findings == () and review.form == "sarif"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": "1.0.0", "runs": []}', "says 1.0.0"),
        ('{"runs": []}', "says no version"),
        ('{"$schema": "https://json.schemastore.org/sarif-2.0.0.json", "version": 2, "runs": []}', "says 2"),
    ],
)
def test_another_version_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=rf"Only SARIF 2\.1\.0 can be read; this document {said}") as refused:
        parse(text.encode())
    assert refused.value.code == "sarif_version"


def test_html_in_markdown_is_taken_away() -> None:
    said = {"markdown": "<img src=x onerror=alert(1)>Tap <b>drips</b> &amp; sings<script>x()</script>"}
    finding = only(log({"message": said}))
    assert finding.title == "Tap drips & sings" and "<" not in finding.body


def test_parts_in_other_files_are_told_and_not_fetched() -> None:
    review = parse(log(result(), externalPropertyFileReferences={"results": [{"location": {"uri": "http://x/"}}]}))
    assert "in other files, which were not read" in notes(review)
