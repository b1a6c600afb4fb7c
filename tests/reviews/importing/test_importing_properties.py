"""What holds for any bytes: no surprise, no chance, no finding outside its document."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviews.importing import BadInput, ParsedReview, parse, to_json

pytestmark = pytest.mark.once

PIECES = st.sampled_from(
    [
        "# Report", "## Critical", "## Findings", "### H1. Cache is never cleared", "### 1.2 Lock is leaked - HIGH",
        "- **Weak key** (`key.py:3`) - too short", "- [ ] Close the file", "- [x] **B-2** Done", "1. Retry forever",
        "| ID | Title | Severity |", "|---|---|---|", "| A-1 | Broken | High |",
        "**Severity:** Low", "**Status:** Fixed",
        "---", "```", "> quoted", "", "text", "✅ fine", "## Summary", "## Next steps", "~~**HIGH** gone~~ **DONE**",
        '{"mc_signal":"DONE","nonce":"n"}', "**[3] deferred (later).** Because.", "[[[", "**", "| |", "  - nested",
        "## Verification Checks", "lint — PASS (all)", "## Action Items", "## Files Modified", "- `a.py` - H1",
        "**Test Plan**:", "**Evidence:** 6/6 pass at `f94989e`", "## Cross-reference with v7", "All but H1 were fixed.",
    ]
)  # fmt: skip


def letters(seed: int) -> str:
    """A long title that resembles every other one by its letters, and by nothing else."""
    chosen = random.Random(seed)
    return " ".join("".join(chosen.choices("abcdefgh", k=6)) for _ in range(60))


DOCUMENTS = st.lists(PIECES, max_size=40).map("\n".join)


def attempt(data: bytes) -> ParsedReview | None:
    try:
        return parse(data)
    except BadInput:
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=2_000))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    attempt(data)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS | st.text(max_size=600))
def test_findings_lie_in_the_document_and_the_same_text_reads_the_same(text: str) -> None:
    data = text.encode("utf-8", errors="replace")
    review = attempt(data)
    if review is None:
        return
    assert to_json(review, "x") == to_json(parse(data), "x")
    lines = review.text.split("\n")
    for finding in review.findings:
        assert 1 <= finding.line_start <= finding.line_end <= len(lines)
        assert finding.title and finding.reason and 0 < finding.confidence <= 1
        near = " ".join(lines[max(finding.line_start - 1, 0) : finding.line_start + 2])
        words = [word.strip("`*~_:.,()[]") for word in finding.title.split()]
        assert any(word and word in near for word in words)
    for part in (review.checks, review.action_items, review.files_modified, review.evidence, review.earlier):
        assert all(1 <= entry.line <= len(lines) for entry in part)
    assert all(1 <= plan.line_start <= plan.line_end <= len(lines) for plan in review.test_plans)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        ">" * 10_000,
        "> " * 10_000 + "x",
        "- " * 10_000 + "x",
        "a" * 1_000_000,
        "**" * 100_000,
        "`" * 300_000,
        "# " + "1." * 100_000,
        "\n".join("  " * depth + "- x" for depth in range(600)),
        "\n".join("> " * (n % 50) + "- a" for n in range(3_000)),
        "\n".join(f"# H{n}: t" for n in range(50_000)),
        "# R\n\n## Verification\n\n```\n" + ("a: b — c => d | e   PASSX" * 20 + "\n") * 1_900,
        "# R\n\n## Verification\n\n```\n" + ("a" + " " * 590 + "b\n") * 1_600,
        "# R\n\n## Action Items\n\n" + "- [ ] [a [b [c\n" * 4_000,
        "# R\n\n## Files Modified\n\n" + ("- `a.py`" + ", `b.py`" * 200 + "\n") * 600,
        "# R\n\n## Evidence\n\n" + ("commit" + " abcdef12" * 400 + "\n") * 270,
        "# R\n\n## Cross-reference with v7\n\n" + "H1. A2. all of the " * 50_000,
        "# R\n\n" + "test plan a b: c\n" * 55_000,
        "\n\n".join(f"### H1: {'abcdef ' * 80}{n}" for n in range(1_500)),
        "# R\n\n## High\n\n"
        + "".join(f"### {letters(n)} - HIGH\n\nx\n\n" for n in range(150))
        + "## Findings\n\n| Issue | Severity |\n|---|---|\n"
        + "".join(f"| {letters(n)} | Low |\n" for n in range(150, 300)),
        "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000,
    ],
    ids=lambda text: f"{text[:6]!r}x{len(text)}",
)
def test_a_hostile_document_costs_little(text: str) -> None:
    began = time.process_time()
    attempt(text.encode())
    assert time.process_time() - began < 5
