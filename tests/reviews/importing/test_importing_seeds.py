"""The five documents the project grew out of, read from beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from reviews.importing import ParsedReview, parse

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seed(shared_dir: Path):  # type: ignore[no-untyped-def]
    def read(number: str) -> ParsedReview:
        found = sorted((shared_dir / "seeds").glob(f"{number}_*.txt"))
        if not found:
            pytest.skip(f"seed {number} is not there")
        return parse(found[0].read_bytes(), name=found[0].name)

    return read


def test_a_table_of_tickets_is_nineteen_findings_and_its_totals_disagree(seed) -> None:  # type: ignore[no-untyped-def]
    review = seed("000")
    assert [finding.ticket_key for finding in review.findings] == [f"MC-{n}" for n in range(294, 313)]
    assert [f.ticket_key for f in review.findings if f.severity == "critical"] == [
        "MC-295",
        "MC-299",
        "MC-306",
    ]
    assert review.metadata.ticket == "MC-291"
    first = review.text.split("\n")[0]
    assert review.metadata.reviewer == first.partition("Reviewer: ")[2].partition(" Ticket:")[0]
    assert dict(review.stated_totals) == {"total": 19, "critical": 3, "high": 10, "low": 6}
    assert any("10 high" in sentence for sentence in review.disagreements)
    assert any("6 low" in sentence for sentence in review.disagreements)
    assert not any("critical" in sentence for sentence in review.disagreements)


def test_the_order_of_fixing_has_its_tiers(seed) -> None:  # type: ignore[no-untyped-def]
    tiers = seed("000").fix_order
    assert len(tiers) == 3
    assert tiers[0].refs == ("MC-299", "MC-295", "MC-306")
    assert tiers[1].refs == ("MC-310", "MC-294", "MC-304")


def test_a_work_log_has_a_signal_and_a_verdict_and_no_findings(seed) -> None:  # type: ignore[no-untyped-def]
    review = seed("001")
    assert review.findings == ()
    assert review.signal is not None
    assert review.signal.name == "DONE"
    assert review.signal.ticket == "MC-4456"
    assert review.signal.nonce is not None and review.signal.nonce.startswith("MC_TICKET_TURN:")
    assert review.verdict is not None and "CLEAN to ship" in review.verdict
    [stated] = review.evidence
    assert (stated.commits, stated.tests) == (("f94989e",), (6, 6))


def test_a_tracker_with_broken_encoding_is_seven_items(seed) -> None:  # type: ignore[no-untyped-def]
    review = seed("002")
    assert [finding.ref for finding in review.findings] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [f.severity for f in review.findings] == [
        "critical",
        "critical",
        "high",
        "high",
        "low",
        "low",
        "low",
    ]
    assert any("Mojibake" in note.text for note in review.notes)
    assert {"File", "Severity", "Problem"} <= {label for label, _ in review.findings[0].fields}
    assert all(finding.status is None for finding in review.findings)
    assert [len(tier.items) for tier in review.fix_order] == [4, 3]
    assert [(item.done, item.section) for item in review.action_items] == [(False, "Action Items")] * 8
    assert [plan.ref for plan in review.test_plans] == ["1", "2", "3", "4"]
    assert all("```" in plan.text for plan in review.test_plans)


def test_a_later_version_is_fourteen_fixed_and_one_rejected(seed) -> None:  # type: ignore[no-untyped-def]
    review = seed("003")
    assert sum(finding.status == "fixed" for finding in review.findings) == 14
    rejected = [finding for finding in review.findings if finding.status == "rejected"]
    assert len(rejected) == 1
    assert rejected[0].status_reason is not None and "valid Go" in rejected[0].status_reason
    assert review.metadata.version == "8"
    assert review.metadata.base_commit == "9408841"
    assert review.disagreements == ()
    assert [check.outcome for check in review.checks] == ["passed"] * 4
    assert (review.checks[3].name, review.checks[3].detail) == ("go test -short -race ./...", "all 20 packages")
    assert len(review.files_modified) == 18
    assert review.files_modified[0].refs == ("H1", "H3", "M4")
    [before] = review.earlier
    assert (before.version, before.refs, before.all_verified) == ("7", (("H6", "fixed"),), True)
    assert {"Verification Checks", "Files Modified", "Cross-Reference with v7"} <= {p.text for p in review.left_out}
    assert ("L3", "H1") in {(cross.source, cross.target) for cross in review.cross_references}


def test_a_concerns_audit_is_thirty_four_entries_by_category(seed) -> None:  # type: ignore[no-untyped-def]
    review = seed("004")
    assert len(review.findings) == 34
    assert len({finding.category for finding in review.findings}) == 9
    rated = {finding.category for finding in review.findings if finding.severity is not None}
    assert rated == {"Missing Critical Features", "Test Coverage Gaps"}
