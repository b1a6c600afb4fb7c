"""Findings as CSV, in which no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from django.db.models import QuerySet

from reviews.exporting.rows import Row, rows, why
from reviews.models import Finding
from tickets.exporting import cell

COLUMNS: Final = (
    "Project", "Series", "Reference", "Severity", "State", "Standing", "Title", "Category", "Rule", "Files", "Ticket",
    "Answer", "Found",
)  # fmt: skip


def pieces(found: QuerySet[Finding], most: int, total: int) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in rows(found, most):
        yield _line(_cells(row))
    if total > most:
        yield _line([f"Only the first {most:,} rows are in this file. Filter the list for the others."])


def _cells(row: Row) -> list[str]:
    finding = row.finding
    return [
        finding.series.project.key,
        finding.series.name,
        finding.reference,
        finding.get_severity_display(),
        finding.get_state_display(),
        row.standing,
        finding.title,
        finding.category,
        finding.rule,
        ", ".join(map(str, finding.files)),
        finding.ticket.key if finding.ticket else "",
        why(finding),
        finding.created_at.isoformat(timespec="seconds"),
    ]


def _line(values: list[str] | tuple[str, ...]) -> str:
    page = io.StringIO()
    csv.writer(page, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow([cell(value) for value in values])
    return page.getvalue()
