"""The ways people write findings down: each module proposes candidates, and none of them decides alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reviews.importing.recognisers import (
    bold_bullets,
    bold_paragraphs,
    checkboxes,
    concerns,
    field_headings,
    numbered_items,
    plain_bullets,
    ref_headings,
    severity_headings,
    summary_tables,
)
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.regions import Outline

Recogniser = Callable[[Outline], Iterable[Proposal]]

RECOGNISERS: tuple[Recogniser, ...] = (
    ref_headings.propose,
    field_headings.propose,
    severity_headings.propose,
    concerns.propose,
    summary_tables.propose,
    bold_paragraphs.propose,
    checkboxes.propose,
    bold_bullets.propose,
    numbered_items.propose,
    plain_bullets.propose,
)

__all__ = ["RECOGNISERS", "Candidate", "Proposal", "Recogniser"]
