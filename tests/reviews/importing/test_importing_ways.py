"""The many ways in which people write reviews: one small document for each rule."""

from __future__ import annotations

import pytest

from reviews.importing import BadInput, ParsedReview, parse

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


class TestHeadingsAndTables:
    """Which headings and rows are findings, by what they are made of and what stands beside them."""

    @staticmethod
    def titles(text: str) -> list[str]:
        return [finding.title for finding in read(text).findings]

    def test_a_count_that_goes_on_under_the_next_heading_counts_findings(self) -> None:
        text = (
            "# Review of the kettle\n\n## Lid\n\n### 1. One\n\nx\n\n### 2. Two\n\nx\n\n"
            "## Cord\n\n### 3. Three\n\nx\n\n### 4. Four\n\nx\n"
        )
        assert self.titles(text) == ["One", "Two", "Three", "Four"]
        assert self.titles(text.replace("Review of the kettle", "Building a kettle")) == []

    def test_parts_at_the_level_of_their_finding_belong_to_it(self) -> None:
        review = read(
            "# Kettle\n\n## K-01. Lid sticks\n\n## Impact\n\n1. One\n2. Two\n\n"
            "## Recommendation\n\nOil.\n\n## Appendix\n\nx\n"
        )
        assert [(f.title, f.line_start, f.line_end) for f in review.findings] == [("Lid sticks", 3, 12)]

    def test_a_heading_made_like_the_finding_beside_it_is_one(self) -> None:
        text = (
            "# Audit\n\n## Points\n\n### 🟠 Lid\n\n- It sticks.\n\n### 🟠 Cord\n\n"
            "- It is short.\n\n### Thanks\n\n- To all.\n"
        )
        assert self.titles(text) == ["Lid", "Cord"]

    def test_a_heading_that_comes_again_is_named_by_its_problem(self) -> None:
        part = "## {0}\n\n### Remarks\n\n**Problem:** the {0} is too short\n**Fix:** longer\n\n"
        text = "# Kettle\n\n" + "".join(part.format(name) for name in ("lid", "cord", "spout"))
        assert self.titles(text) == ["the lid is too short", "the cord is too short", "the spout is too short"]

    def test_a_heading_that_says_that_a_title_follows(self) -> None:
        assert self.titles("## ID: 7\n\n## Заголовок: Крышка не закрывается\n\n## Описание\n\nx\n") == [
            "Крышка не закрывается"
        ]

    def test_a_numbered_line_over_dashes_is_a_heading(self) -> None:
        text = (
            "Kettle report\n=============\n\n1. Lid sticks\n-------------\n\n"
            "What: it does.\nFix: oil.\n\n2. Cord is short\n----------------\n\n"
            "Fix: longer.\nWhat: it is.\n"
        )
        assert self.titles(text) == ["Lid sticks", "Cord is short"]

    @pytest.mark.parametrize(
        "header",
        ["| | | |", "| Sévérité | Lieu | Constat |", "| 심각도 | 위치 | 내용 |", "| Waga | Miejsce | Usterka |"],
    )
    def test_the_cells_say_what_a_column_is(self, header: str) -> None:
        text = f"# Kettle\n\n{header}\n|-|-|-|\n| high | `a.py:3` | Lid sticks |\n| high | `b.py` | Cord is short |\n"
        assert self.titles(text) == ["Lid sticks", "Cord is short"]

    def test_a_row_without_rating_and_place_goes_on_with_the_row_above(self) -> None:
        text = (
            "# Kettle\n\n| Sev | File | Issue |\n|---|---|---|\n| high | lid.py | It sticks |\n| | | when it is hot |\n"
        )
        assert self.titles(text) == ["It sticks"]

    @pytest.mark.parametrize(
        "text",
        [
            "| Severity | Meaning of it |\n|---|---|\n| High | to be fixed now |\n| Low | whenever there is time |\n",
            "| # | Test | Bug | Result |\n|---|---|---|---|\n| 1 | boils | BUG-1 | no |\n| 2 | sings | BUG-1 | no |\n",
            "- **critical:** must be fixed\n- **high:** should be fixed\n- **low:** optional\n",
            "### Decided\n\nDecision: steel\n\nReason: it lasts\n\nConsequence: it is heavy\n",
            "### Leaks\n\nThe seal was looked at. **No issue.**\n\n**Impact:** none\n",
        ],
    )
    def test_legends_decisions_and_what_is_clean_are_none(self, text: str) -> None:
        assert self.titles(f"# Kettle\n\n{text}") == []

    def test_an_index_by_number_is_the_detail_by_ref(self) -> None:
        text = (
            "# Audit\n\n| # | Issue | Severity |\n|---|---|---|\n| 1 | Lid | High |\n\n"
            "### Issue 1: The lid sticks in winter\n\nx\n"
        )
        assert [(f.title, f.severity) for f in read(text).findings] == [("The lid sticks in winter", "high")]

    def test_an_item_that_names_several_findings_is_none(self) -> None:
        text = (
            "# Audit\n\n### K-1: Lid\n\nx\n\n### K-2: Cord\n\nx\n\n"
            "## Open issues by theme\n\n- **Heat**: K-1 and K-2 again\n"
        )
        assert self.titles(text) == ["Lid", "Cord"]

    @pytest.mark.parametrize(
        ("group", "praise"),
        [
            ("Hallazgos", "Puntos fuertes"),
            ("Bevindingen", "Sterke punten"),
            ("指摘事項", "良い点"),
            ("Ustalenia", "Mocne strony"),
        ],
    )
    def test_sections_are_known_in_any_language(self, group: str, praise: str) -> None:
        item = "### {}\n\n**Severity:** low\n\nx\n\n"
        text = f"# X\n\n## {group}\n\n{item.format('The lid sticks')}## {praise}\n\n{item.format('The cord is long')}"
        assert self.titles(text) == ["The lid sticks"]


class TestListsAndProse:
    """Lists that say by their own items that they are findings, and plain text without the marks of a list."""

    @staticmethod
    def titles(text: str) -> list[str]:
        return [finding.title for finding in read(text).findings]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("# Notes\n\n- High\n  - `lid.py`\n    - Lid jams\n- Low\n  - `cord.py`\n    - Cord frays\n", 2),
            ("Review\n\nMust fix\n- lid jams\n- cord frays\n\nNice to have\n- paint it\n", 3),
            (
                "Review\n\nPUMP\n\n1.1  LID JAMS\n     lid.c:3\n\n1.2  CORD FRAYS\n     cord.c:4\n\n"
                "1.3  NO KEY\n     key.c:5\n",
                3,
            ),
            ("Review\n\nLid jams\n: *major*. `lid.c:3`\n\nCord frays\n: *minor*.\n\nKey sticks\n: *minor*.\n", 3),
            ("lid.c:3:1: warning: lid jams\ncord.c:4:2: error: cord frays\n", 2),
            ("**issue (blocking):** lid jams\n`lid.c:3`\n\n**praise:** neat\n\n**nit:** cord frays\n", 2),
            ("`lid.c` lines 3-5\n\n**Lid jams.**\n\n`cord.c` line 4\n\n**Cord frays.**\n", 2),
            ("コードレビュー\n\n指摘事項\n・蓋が閉じない\n・紐がない\n", 2),
        ],
    )
    def test_what_is_listed_is_read_whatever_marks_it_has(self, text: str, expected: int) -> None:
        assert len(self.titles(text)) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "# How we review\n\n- Never merge alone\n- Do not use `eval()`\n- Always check errors\n",
            "Hi,\n\nI read the patch:\n\n- tests cover it\n- no regressions found\n\nLooks good.\n",
            "# Design\n\nGoals:\n- no lost jobs\n- never run twice\n",
            "# Weekly status\n\nDone:\n- moved the lid\n\nNew:\n- a cord\n",
        ],
    )
    def test_rules_praise_goals_and_news_are_no_findings(self, text: str) -> None:
        assert self.titles(text) == []

    def test_an_item_under_a_file_stands_in_that_file(self) -> None:
        text = "# Code review\n\n* **lid.ts**\n  * line 12: the lid is never closed\n  * line 40: no cord\n"
        assert [finding.files for finding in read(text).findings] == [("lid.ts:12",), ("lid.ts:40",)]

    def test_paragraphs_between_numbers_belong_to_the_number_before(self) -> None:
        text = "Review\n\n1. Lid is never closed\n\nSeen in lid.py:3\n\n2. No cord\n\nSeen in cord.py:4\n\nBye\n"
        found = read(text).findings
        assert [(finding.line_start, finding.line_end) for finding in found][0] == (3, 5)

    def test_a_document_of_too_many_records_is_refused(self) -> None:
        with pytest.raises(BadInput, match="limit"):
            parse(b"lid.c:3: lid jams\n" * 20_000)


class TestForms:
    """The form an author gives to findings shows in its coming again, whatever its words are."""

    def test_items_with_parts_of_their_own_are_findings_and_their_heading_is_none(self) -> None:
        item = "- [x] **Issue #{n}**: {title}\n  - Status: FIXED\n  - File: `{title}.c`\n\n"
        review = read(
            "# Kettle issues\n\n## Heating (2 issues)\n\n"
            + item.format(n=1, title="boils-dry")
            + item.format(n=2, title="no-whistle")
            + "## Case (1 issue)\n\n"
            + item.format(n=3, title="sharp-edge")
        )
        assert [(f.ref, f.title, f.status) for f in review.findings] == [
            ("#1", "boils-dry", "fixed"),
            ("#2", "no-whistle", "fixed"),
            ("#3", "sharp-edge", "fixed"),
        ]
        assert [f.files for f in review.findings] == [("boils-dry.c",), ("no-whistle.c",), ("sharp-edge.c",)]

    def test_sub_headings_that_come_again_are_parts_of_those_above(self) -> None:
        part = "## {n}. {title}\n\n### Soll\n\n95 Grad\n\n### Ist\n\n80 Grad\n\n"
        titles = ("Wasser kocht nicht", "Deckel fehlt", "Kabel ist zu kurz")
        review = read("# Bugs\n\n" + "".join(part.format(n=n, title=t) for n, t in enumerate(titles, 1)))
        assert [f.title for f in review.findings] == list(titles)

    def test_labels_that_come_again_make_findings_of_what_they_stand_under(self) -> None:
        part = "### {title}\n- **Priorità:** alta\n- **Contesto:** cucina\n- **Cosa fare:** cambiare\n\n"
        review = read(
            "# Bollitore\n\n## Cucina\n\n" + "".join(part.format(title=t) for t in ("Coperchio", "Cavo", "Manico"))
        )
        assert [(f.title, f.severity) for f in review.findings] == [
            ("Coperchio", "high"),
            ("Cavo", "high"),
            ("Manico", "high"),
        ]

    def test_a_place_behind_a_title_is_where_the_finding_is(self) -> None:
        review = read("# Review\n\n## High\n\n#### 1. Lid sticks - `lid/hinge.c:12`\n\n- Problem: rust\n- Fix: oil\n")
        assert (review.findings[0].title, review.findings[0].files) == ("Lid sticks", ("lid/hinge.c:12",))

    def test_accents_may_be_left_out(self) -> None:
        review = read("# Bouilloire\n\n### RESOLU : BUG-002 - Fuite\n- **Probleme** : eau\n- **Solution** : joint\n")
        assert (review.findings[0].ref, review.findings[0].status) == ("BUG-002", "fixed")


class TestBesideFindings:
    """What stands beside findings, and documents that have none."""

    def test_a_remedy_that_names_findings_in_brackets_says_how_they_stand(self) -> None:
        review = read(
            "# Audit\n\n## Findings\n\n### C-01: Lid sticks\n\nx\n\n### C-02: No whistle\n\nx\n\n"
            "## Tasks\n\n### T-01: Oil the hinge (C-01) ✓ DONE\n\nx\n"
        )
        assert [(f.ref, f.status) for f in review.findings] == [("C-01", "fixed"), ("C-02", None)]

    def test_a_list_without_any_of_what_the_findings_have_only_speaks_of_them(self) -> None:
        found = "".join(f"### {n}. Part {n} breaks\n\n**Severity:** High\n**Fix:** glue\n\n" for n in range(1, 6))
        review = read(f"# Audit\n\n## Defects\n\n{found}## Risks by area\n\n- kitchen work\n- cleaning\n- storage\n")
        assert [f.title for f in review.findings] == [f"Part {n} breaks" for n in range(1, 6)]

    @pytest.mark.parametrize(
        "opening",
        [
            "---\nname: kettle-reviewer\ndescription: Looks at kettles\n---\n\n# Review\n\n",
            "# Code review\n\nYou are a reviewer of kettles.\n\n",
            "# Revue\n\nTu es un relecteur.\n\n",
        ],
    )
    def test_a_prompt_lists_no_findings(self, opening: str) -> None:
        assert read(f"{opening}## Issues\n\n- Hardcoded heat\n- Missing lid\n- **Critical:** leaks\n").findings == ()

    def test_a_checklist_lists_no_findings(self) -> None:
        boxes = "".join(f"- [ ] Check part {n}\n" for n in range(16))
        review = read(f"# Security audit\n\n## Kettle\n\n{boxes}\n## Vulnerabilities\n\n- [ ] Test the lid\n")
        assert review.findings == ()
