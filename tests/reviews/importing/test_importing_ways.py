"""The many ways in which people write reviews: one small document for each rule."""

from __future__ import annotations

import pytest

from reviews.importing import ParsedReview, parse

pytestmark = pytest.mark.once


def read(text: str) -> ParsedReview:
    return parse(text.encode())


class TestAttributes:
    """What is said of a finding, wherever the author says it."""

    @pytest.mark.parametrize(
        ("word", "severity"),
        [
            ("Критические ошибки", "critical"),
            ("Problemas críticos", "critical"),
            ("Poważne problemy", "high"),
            ("中危问题", "medium"),
            ("Geringe Mängel", "low"),
        ],
    )
    def test_a_heading_rates_in_any_language(self, word: str, severity: str) -> None:
        review = read(f"# Kettle\n\n## {word}\n\n### K1: Lid\n\nx\n\n### K2: Cord\n\nx\n")
        assert [finding.severity for finding in review.findings] == [severity, severity]

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("Статус: не исправлен", "open"),
            ("状态：已修复", "fixed"),
            ("**Estado:** aplazado", "deferred"),
            ("**Stato:** falso positivo", "rejected"),
            ("**Update:** Acknowledged, not resolved.", "deferred"),
            ("*This has been changed in PR 12.*", "fixed"),
        ],
    )
    def test_a_line_says_how_it_stands(self, line: str, status: str) -> None:
        assert read(f"# Kettle\n\n### K1: Lid sticks\n\nIt does.\n\n{line}\n").findings[0].status == status

    def test_a_sentence_before_the_findings_speaks_of_all_of_a_severity(self) -> None:
        review = read(
            "# Kettle\n\n> High issues have been fixed. Low issues remain open.\n\n"
            "### K1: Lid - HIGH\n\nx\n\n### K2: Cord - LOW\n\nx\n"
        )
        assert [finding.status for finding in review.findings] == ["fixed", "open"]

    def test_a_table_under_a_status_means_the_findings_by_number(self) -> None:
        review = read(
            "# Kettle\n\n### Issue 1: Lid\n\nx\n\n### Issue 2: Cord\n\nx\n\n"
            "## Fixed (this week)\n\n| Issue | Fix |\n|---|---|\n| **#2** - cord | longer |\n"
        )
        assert [finding.status for finding in review.findings] == [None, "fixed"]

    def test_refs_may_bear_the_severity(self) -> None:
        review = read("# Kettle\n\n### LOW-A: Lid\n\nx\n\n### F-P0-1: Cord\n\nx\n")
        assert [(f.ref, f.severity) for f in review.findings] == [("LOW-A", "low"), ("F-P0-1", "critical")]

    @pytest.mark.parametrize(
        ("text", "files"),
        [
            ("**File:** `lid.py`, `shut()`\n**Line 14:** skips", ("lid.py:14",)),
            ("**Location:** several files:\n- `lid.py`\n- `cord.go.mod`", ("lid.py", "cord.go.mod")),
            ("**位置:** `lid.py` 约 23、42 行", ("lid.py:23、42",)),
            ("Lines 3-9 in src/lid.py", ("src/lid.py:3-9",)),
            ("<https://git.example/a/b/blob/main/lid.py#L4>", ("https://git.example/a/b/blob/main/lid.py#L4",)),
        ],
    )
    def test_places_are_read_as_written(self, text: str, files: tuple[str, ...]) -> None:
        assert read(f"# Kettle\n\n### K1: Lid sticks\n\n{text}\n").findings[0].files == files
