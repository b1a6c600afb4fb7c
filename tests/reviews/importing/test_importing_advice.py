"""What the docs say imports perfectly, does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reviews.importing import parse

pytestmark = pytest.mark.once
DOCS = Path(__file__).parents[3] / "docs" / "reviews.md"


def test_the_review_that_the_docs_recommend_is_read_as_it_says() -> None:
    (example,) = re.findall(r"```markdown\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    review = parse(example.encode(), name="review.md")
    read = [(found.ref, found.title, found.severity, found.files, found.status) for found in review.findings]
    assert read == [
        ("DP-1", "The outbox deletes rows that it never sent", "critical", ("relay/outbox.py:41-58",), "open"),
        ("DP-2", "A template can be uploaded by anybody", "high", ("web/templates.py:12",), "fixed"),
        ("DP-3", "The retry has no jitter", "low", ("relay/retry.py:7",), "deferred"),
    ]
    assert review.disagreements == () and review.left_out == ()
    assert (review.metadata.reviewer, review.metadata.base_commit) == ("Ada", "4f2a91c")
    assert review.verdict is not None
