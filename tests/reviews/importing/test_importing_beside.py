"""What stands in a review beside its findings, one small document for each way of writing it."""

from __future__ import annotations

import json

import pytest

from reviews.importing import Check, FileModified, ParsedReview, parse, to_json

pytestmark = pytest.mark.once


def read(text: str) -> ParsedReview:
    return parse(text.encode())


def outcomes(review: ParsedReview) -> list[tuple[str, str]]:
    return [(check.name, check.outcome) for check in review.checks]


def test_no_fenced_check_is_lost_and_its_note_stays_with_it() -> None:
    review = read(
        "# R\n\n## Verification Checks\n\n```\nkettle lint ./...   — PASS\nkettle boil --fast — FAIL (2 leaks)\n"
        "$ kettle descale → SKIPPED\n# only a comment\n```\n"
    )
    assert review.checks == (
        Check("kettle lint ./...", "passed", "", 6),
        Check("kettle boil --fast", "failed", "2 leaks", 7),
        Check("kettle descale", "skipped", "", 8),
    )


def test_no_listed_check_is_read_with_another_outcome() -> None:
    review = read(
        "# R\n\n## Validation results\n\n- ✅ Lid closes\n- ❌ Handle holds\n- [x] Spout pours\n- [ ] Base is level\n"
        "- `kettle test`: 41 passed, 2 failed\n- PASS: filter\n- gasket test does not pass\n- all 9 seals pass\n"
        "- rim: passed, but 1 failed\n"
        "- whistle: not run\n- the colour was looked at by eye\n"
    )
    assert outcomes(review) == [
        ("Lid closes", "passed"),
        ("Handle holds", "failed"),
        ("Spout pours", "passed"),
        ("Base is level", "unknown"),
        ("`kettle test`", "failed"),
        ("filter", "passed"),
        ("gasket test", "failed"),
        ("all 9 seals", "passed"),
        ("rim", "failed"),
        ("whistle", "skipped"),
        ("the colour was looked at by eye", "unknown"),
    ]


def test_a_table_of_checks_keeps_each_row_with_its_detail() -> None:
    review = read(
        "# R\n\n## Findings\n\n### H1. Leaks\n\nWater.\n\n## Gates\n\n"
        "| # | Check | Result | Note |\n|---|---|---|---|\n"
        "| 1 | boil | ✅ PASS (2 min) | twice |\n| 2 | pour | FAILED | by hand |\n| 3 | cool | who knows | |\n"
    )
    assert review.checks == (
        Check("boil", "passed", "2 min — twice", 13),
        Check("pour", "failed", "by hand", 14),
        Check("cool", "unknown", "who knows", 15),
    )


def test_prose_and_plans_are_no_checks() -> None:
    review = read(
        "# R\n\n## Verification\n\nWe read the manual twice; it was clean.\n\n"
        "## Input checks\n\nThe lid is never checked.\n"
    )
    assert review.checks == ()
    assert read("# R\n\n## Verification\n\n- Fill it\n- `boil` it\n").checks == ()


def test_boxes_are_done_or_not_and_a_box_list_is_no_order_of_fixing() -> None:
    review = read("# R\n\n## High\n\n### H1. Leaks\n\nWater.\n\n## Action Items\n\n- [ ] Seal it\n- [x] Dry it\n")
    assert [(i.text, i.done, i.line, i.section) for i in review.action_items] == [
        ("Seal it", False, 11, "Action Items"),
        ("Dry it", True, 12, "Action Items"),
    ]
    assert review.fix_order == ()


def test_a_list_is_read_as_order_or_as_action_items_and_never_as_both() -> None:
    review = read(
        "# R\n\n## High\n\n### H1. Leaks\n\nWater.\n\n## Roadmap\n\n### Immediate\n\n1. Seal H1\n\n### Later\n\n"
        "1. Buy another\n\n## Next steps\n\n1. Tell the cook\n2. ~~Clean up~~ DONE\n\n"
        "## Before merge\n\n- Ask the owner\n"
    )
    assert [(tier.label, tier.refs) for tier in review.fix_order] == [("Immediate", ("H1",)), ("Later", ())]
    assert [(i.text, i.done, i.section) for i in review.action_items] == [
        ("Tell the cook", None, "Next steps"),
        ("~~Clean up~~ DONE", True, "Next steps"),
        ("Ask the owner", None, "Before merge"),
    ]


@pytest.mark.parametrize("heading", ["Fix list", "Punch list - before production"])
def test_a_fix_list_is_not_doubled_as_action_items(heading: str) -> None:
    review = read(f"# R\n\n## High\n\n### H1. Leaks\n\nWater.\n\n## {heading}\n\n1. Seal H1\n2. Dry the floor\n")
    assert [(tier.refs, len(tier.items)) for tier in review.fix_order] == [(("H1",), 2)]
    assert review.action_items == ()


def test_boxes_in_a_plan_stay_boxes() -> None:
    review = read("# R\n\n## High\n\n### H1. Leaks\n\nWater.\n\n## Roadmap\n\n### Phase 1\n\n- [x] Seal it\n")
    assert review.fix_order == ()
    assert [(item.done, item.section) for item in review.action_items] == [(True, "Phase 1")]


@pytest.mark.parametrize("heading", ["Issues to fix before release", "Action Items"])
def test_a_finding_is_never_an_action_item_too(heading: str) -> None:
    review = read(f"# R\n\n## {heading}\n\n- [ ] **H1** Lid is loose\n- [ ] **H2** Base is wet\n")
    assert [finding.ref for finding in review.findings] == ["H1", "H2"]
    assert review.action_items == ()


def test_a_severity_that_says_before_merge_hides_no_part_under_it() -> None:
    review = read(
        "# R\n\n## Critical - must fix before merge\n\n**Files modified:** `a.py`\n\n### C1. Leaks\n\nWater.\n"
    )
    assert [file.path for file in review.files_modified] == ["a.py"]


def test_a_template_nobody_filled_in_asks_for_nothing() -> None:
    assert read("# R\n\n## Action items\n\n- [ ] **Issue #[N]**: [Summary]\n- [ ] [Owner]\n").action_items == ()


def test_a_readiness_list_of_marks_says_how_things_stand() -> None:
    review = read("# R\n\n## Release checklist\n\n- ✅ Boils\n- ⚠️ Whistles\n\n## Shipping checklist\n\n- [ ] Pack it\n")
    assert outcomes(review) == [("Boils", "passed"), ("Whistles", "unknown")]
    assert [item.text for item in review.action_items] == ["Pack it"]


def test_files_modified_are_read_from_tables_lists_and_diffstats() -> None:
    review = read(
        "# R\n\n### H1. Leaks\n\nWater.\n\n**Files modified:** `seal.py`, `lid/hinge.py`\n\n## Files Changed\n\n"
        "| File | Issues |\n|---|---|\n| `spout.go` | H1 (bent) |\n\n### Docs\n\n- `README.md` - says so\n\n"
        "```\n M base.c | 4 ++--\n```\n"
    )
    assert review.files_modified == (
        FileModified("seal.py", "", 7, ("H1",)),
        FileModified("lid/hinge.py", "", 7, ("H1",)),
        FileModified("spout.go", "H1 (bent)", 13, ("H1",)),
        FileModified("README.md", "says so", 17, ()),
        FileModified("base.c", "4 ++--", 20, ()),
    )


def test_files_that_were_only_read_are_not_modified() -> None:
    assert read("# R\n\n## Files Reviewed\n\n- `a.py`\n\n**Files:** `b.py`\n").files_modified == ()


def test_a_test_plan_belongs_to_the_finding_it_stands_in() -> None:
    review = read(
        "# R\n\n### H1. Leaks\n\n**Problem**: wet\n\n**Test Plan**:\n```bash\nfill --to 9\n```\n\n---\n\n"
        "### H2. Tilts\n\n**Problem**: slopes\n\n#### How to verify\n\n1. Put it down\n2. Look\n\n"
        "## Test strategy\n\nFill every kettle.\n"
    )
    plans = [(plan.text, plan.line_start, plan.line_end, plan.ref) for plan in review.test_plans]
    assert plans == [
        ("```bash\nfill --to 9\n```", 8, 10, "H1"),
        ("1. Put it down\n2. Look", 20, 21, "H2"),
        ("Fill every kettle.", 25, 25, None),
    ]


def test_a_verification_without_an_outcome_is_a_plan_and_one_with_it_is_not() -> None:
    review = read("# R\n\n## Verification\n\n```\nboil twice\n```\n\n## Testing\n\n- boil: PASS\n")
    assert [plan.line_start for plan in review.test_plans] == [5]
    assert outcomes(review) == [("boil", "passed")]


@pytest.mark.parametrize(
    ("line", "commits", "tests"),
    [
        ("Commit `f94989e` pushed; 6/6 pass", ("f94989e",), (6, 6)),
        ("commits abc1234 and def5678, 40 passed, 2 failed", ("abc1234", "def5678"), (40, 42)),
        ("unit 20/20 pass, end to end 5/6 pass", (), (25, 26)),
        ("all 12 tests pass at commit 1234567", ("1234567",), (12, 12)),
        ("blob e69de29 is empty, `20260407` and `deadbee` are words", (), None),
        ("nonce 1780141953862:e1f59bec, boiled 3/4 litres", (), None),
    ],
)
def test_only_what_is_written_as_a_commit_or_a_count_is_one(
    line: str, commits: tuple[str, ...], tests: tuple[int, int] | None
) -> None:
    [stated] = read(f"# Log\n\nDid it.\n\n**Evidence:** {line}\n").evidence
    assert (stated.text, stated.line, stated.commits, stated.tests) == (line, 5, commits, tests)


def test_evidence_of_a_problem_stays_with_its_finding() -> None:
    assert read("# R\n\n### H1. Leaks\n\n**Evidence:** `f94989e` is wet\n").evidence == ()


def test_a_signal_is_no_evidence_of_itself() -> None:
    review = read('**Evidence:** 2/2 pass\n{"mc_signal":"DONE","nonce":"n","payload":"9/9 pass"}\n')
    assert [stated.tests for stated in review.evidence] == [(2, 2)]
    assert review.signal is not None


def test_an_earlier_version_keeps_its_own_refs_and_what_became_of_them() -> None:
    review = read(
        "# Kettle review v3\n\n### H1. Leaks\n\nWater.\n\n## Cross-Reference with v2\n\n"
        "All v2 fixes verified as correctly applied. The v2 H6 fix holds; H1 above is new.\n"
    )
    [before] = review.earlier
    assert (before.version, before.line, before.refs, before.all_verified) == ("2", 7, (("H6", "fixed"),), True)


def test_one_open_entry_denies_that_all_was_verified() -> None:
    review = read(
        "# R v3\n\n## Status of previous findings\n\n"
        "| ID | Status |\n|---|---|\n| A-1 | Fixed |\n| A-2 | Still open |\n\n"
        "## Round 1 issues\n\nAll issues but B-3 were fixed. B-3 is deferred.\n"
    )
    first, second = review.earlier
    assert first.refs == (("A-1", "fixed"), ("A-2", "open")) and not first.all_verified
    assert second.version == "1" and ("B-3", "deferred") in second.refs and not second.all_verified


def test_a_round_that_lists_findings_of_its_own_is_not_an_earlier_one() -> None:
    assert read("# R\n\n## Round 2 findings\n\n### H1. Leaks\n\nWater.\n").earlier == ()


def test_no_part_that_was_read_is_missing_from_what_was_left_out() -> None:
    review = read(
        "# R v2\n\n### H1. Leaks\n\nWater.\n\n## Verification\n\n- boil: PASS\n\n## Files Modified\n\n- `a.py`\n\n"
        "## Action Items\n\n- [ ] Dry it\n\n## Test plan\n\nBoil.\n\n## Evidence\n\n3/3 pass\n\n"
        "## Cross-reference with v1\n\nH9 fixed.\n"
    )
    assert [piece.text for piece in review.left_out] == [
        "Verification", "Files Modified", "Action Items", "Test plan", "Evidence", "Cross-reference with v1",
    ]  # fmt: skip


def test_the_export_names_every_part_and_is_plain_json() -> None:
    exported = to_json(read("# R\n\n### H1. Leaks\n\nWater.\n\n## Action Items\n\n- [ ] Dry it\n"), "1")
    assert json.loads(json.dumps(exported)) == exported
    assert exported["action_items"] == [{"text": "Dry it", "done": False, "line": 9, "section": "Action Items"}]
    for key in ("checks", "files_modified", "test_plans", "evidence", "earlier"):
        assert isinstance(exported[key], list)


def test_more_than_is_kept_is_said() -> None:
    review = read("# R\n\n## Verification\n\n" + "- boil: PASS\n" * 5_001)
    assert len(review.checks) == 5_000
    assert any("first 5000 checks" in note.text for note in review.notes)
