"""What holds for any bytes: no surprise, no chance, no finding outside its document."""

from __future__ import annotations

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
    ]
)  # fmt: skip
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
        "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000,
    ],
    ids=lambda text: f"{text[:6]!r}x{len(text)}",
)
def test_a_hostile_document_costs_little(text: str) -> None:
    began = time.process_time()
    attempt(text.encode())
    assert time.process_time() - began < 5
