"""The ways people write findings down: each module proposes candidates, and none of them decides alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reviews.importing.recognisers import (
    bold_bullets,
    bold_paragraphs,
    checkboxes,
    concerns,
    field_headings,
    named_by_problem,
    numbered_items,
    plain_bullets,
    ref_headings,
    series,
    severity_headings,
    summary_tables,
    titled,
    told_headings,
    told_lists,
)
from reviews.importing.recognisers.candidate import Candidate, Proposal
from reviews.importing.regions import Outline

Recogniser = Callable[[Outline], Iterable[Proposal]]

RECOGNISERS: tuple[Recogniser, ...] = (
    ref_headings.propose,
    field_headings.propose,
    named_by_problem.propose,
    severity_headings.propose,
    titled.propose,
    series.propose,
    concerns.propose,
    summary_tables.propose,
    bold_paragraphs.propose,
    checkboxes.propose,
    bold_bullets.propose,
    numbered_items.propose,
    plain_bullets.propose,
    told_headings.propose,
    told_lists.propose,
)

__all__ = ["RECOGNISERS", "Candidate", "Proposal", "Recogniser"]
