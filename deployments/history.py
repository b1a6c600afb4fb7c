"""All deployments as a file: those of the filtered list, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse

from deployments.models import Deployment
from portal.core import limits
from tickets.exporting import csv_response

COLUMNS: Final = (
    "Number", "Project", "Service", "Environment", "Release", "Commit", "Before", "State", "Asked for", "By",
    "Requested", "Started", "Ended", "Verdict", "Why",
)  # fmt: skip


def as_csv(rows: QuerySet[Deployment]) -> HttpResponse:
    """At most ``EXPORT_MAX_ROWS``; where there are more, its last line says so."""
    most = limits.value("EXPORT_MAX_ROWS")
    found = rows.order_by("-pk")[: most + 1].iterator(chunk_size=500)
    return csv_response("deployments.csv", COLUMNS, map(_cells, found), most)


def _cells(row: Deployment) -> list[Any]:
    return [
        row.pk,
        row.service.project.key,
        row.service.name,
        row.environment.name,
        str(row.release or ""),
        row.commit,
        str(row.previous or ""),
        row.get_state_display(),
        row.asked,
        row.requester,
        *_moments(row),
        str(row.verdict or ""),
        row.why,
    ]


def _moments(row: Deployment) -> Iterator[str]:
    for moment in (row.requested_at, row.started_at, row.ended_at):
        yield moment.isoformat(timespec="seconds") if moment else ""
