"""Findings as files: read back by the portal's own importer as what they were, and safe wherever they are opened."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import pytest

from reviews.exporting import download, sarif
from reviews.exporting.report import heading_of
from reviews.importing import parse
from reviews.importing.titles import read_title
from reviews.models import Finding, Fingerprint
from tests.reviews import build
from tests.signing_in import SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]
TITLES = (
    "Outbox drain deletes rows it never sent",
    "`Record<string, number>` is cast & never checked",
    "The tag <b> reaches the page",
    "Émile’s café breaks on 31 February 🎉 again",
)


def said(of: Any) -> list[Finding]:
    """One of each state that a document has a word for, in several severities, with places of several forms."""
    rows = [
        {"state": "open", "severity": "critical", "files": ["src/outbox.py:12-19", "src/b.py"], "rule": "py/outbox"},
        {"state": "fixed", "severity": "high", "files": ["src/a.py:3"], "answer": "Mended."},
        {"state": "rejected", "severity": "low", "files": [], "answer": "It is no tag of ours."},
        {"state": "open", "severity": "info", "files": ["README.md"], "category": "Docs"},
    ]
    made = []
    for n, (title, row) in enumerate(zip(TITLES, rows, strict=True), 1):
        finding = build.finding(of)
        Finding.objects.filter(pk=finding.pk).update(title=title, reference=f"DP-{n}", **row)
        made.append(finding)
    return made


def files_of(finding: Finding) -> tuple[str, ...]:
    return tuple(map(str, finding.files))


def written(form: str) -> bytes:
    rows = Finding.objects.order_by("pk")
    return bytes(download.of(rows, form).getvalue())


@pytest.mark.parametrize("form", ["csv", "json", "markdown"])
def test_a_file_imports_as_the_same_findings(world: World, form: str) -> None:
    said(world.mc)
    name = download.FORMS[form].name
    parsed = parse(written(form), name=name).findings
    read = {(one.ref, one.title, one.severity, one.status, one.files) for one in parsed}
    assert read == {(row.reference, row.title, row.severity, row.state, files_of(row)) for row in Finding.objects.all()}


def test_a_report_counts_what_it_has(world: World) -> None:
    said(world.mc)
    read = parse(written("markdown"), name="findings.md")
    assert dict(read.stated_totals)["total"] == 4 and not read.disagreements


def test_a_sarif_log_imports_as_the_same_findings(world: World) -> None:
    """The standard has no field for a reference, which is a property; what it says nothing of is open."""
    said(world.mc)
    read = {(one.title, one.severity, one.status or "open", one.files) for one in parse(written("sarif")).findings}
    assert read == {(row.title, row.severity, row.state, files_of(row)) for row in Finding.objects.all()}


def test_a_sarif_log_says_what_was_decided_and_seen_before(world: World) -> None:
    first = build.applied(world.mc)
    build.applied(world.mc, build.DOCUMENT.replace("DP-3 | MINOR", "DP-4 | MINOR").replace("Retry delay", "Backoff"))
    rejected = Finding.objects.get(reference="DP-2")
    Finding.objects.filter(pk=rejected.pk).update(state="rejected", answer="By design.")
    Finding.objects.filter(reference="DP-3").update(state="deferred")
    log = json.loads(written("sarif"))
    results = {one["properties"]["reference"]: one for one in log["runs"][0]["results"]}
    assert first.series.reviews.count() == 2
    assert results["DP-1"]["baselineState"] == "unchanged" and results["DP-4"]["baselineState"] == "new"
    assert results["DP-1"]["level"] == "error" and results["DP-1"]["properties"]["security-severity"] == "9.5"
    assert results["DP-2"]["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "By design."}
    ]
    assert results["DP-3"]["suppressions"][0]["status"] == "underReview"
    prints = Fingerprint.objects.filter(finding__reference="DP-1", algorithm="title").values_list("value", flat=True)
    assert prints[0] in results["DP-1"]["partialFingerprints"].values()
    assert {one["id"] for one in log["runs"][0]["tool"]["driver"]["rules"]} == {sarif.RULE}


@pytest.mark.parametrize("form", list(download.FORMS))
def test_a_file_that_is_cut_says_so(world: World, form: str, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"EXPORT_MAX_FINDINGS": 2}
    said(world.mc)
    text = written(form).decode()
    told = {"json": '"cut": true', "sarif": '"cut": true'}.get(form, "Only the first 2")
    assert told in text
    shown = [title for title in TITLES if json.dumps(title, ensure_ascii=False)[1:-1] in html.unescape(text)]
    assert len(shown) == 2
    Finding.objects.filter(title__in=TITLES[:2]).delete()
    assert told not in written(form).decode()


def test_a_file_is_named_by_us_and_run_by_nobody(world: World, sign_in: SignIn) -> None:
    build.finding(world.mc)
    for ending, kind in (("csv", "text/csv"), ("json", "application/json"), ("md", "text/markdown")):
        answer = sign_in(world.viewer).get(f"/findings/export.{ending}?q=Finding&name=../../evil")
        assert answer["Content-Disposition"] == f'attachment; filename="findings.{ending}"'
        assert answer["Content-Type"].startswith(kind) and answer["X-Content-Type-Options"] == "nosniff"
        assert answer.getvalue()


@pytest.mark.once
@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("DP-1", "A: b and others"),
        ("", "No reference at all"),
        ("3", "A plain number"),
        ("1.2", "One of two parts"),
        ("Bug 3", "A word and a number"),
        ("H-01", "Is it <i>this</i> & that?"),
    ],
)
def test_a_heading_reads_as_its_reference_and_title(reference: str, title: str) -> None:
    heading, named = heading_of(reference, title)
    parts = read_title(heading)
    assert named and (parts.ref or parts.number or "", parts.title) == (reference, title)


@pytest.mark.once
@pytest.mark.parametrize(
    ("place", "uri", "region"),
    [
        ("a b/ä.py:3", "a%20b/%C3%A4.py", {"startLine": 3}),
        ("x.py:3-9", "x.py", {"startLine": 3, "endLine": 9}),
        ("x.py (lines 4 to 8)", "x.py", {"startLine": 4, "endLine": 8}),
        ("x.py#L7", "x.py", {"startLine": 7}),
        ("x.py:0", "x.py%3A0", None),
        ("Dockerfile", "Dockerfile", None),
    ],
)
def test_a_place_becomes_a_location(place: str, uri: str, region: dict[str, int] | None) -> None:
    physical = sarif._location(place)["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical.get("region")) == (uri, region)
