"""Figures of deployments as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.http import HttpResponse

from deployments import figures
from deployments.figures import Figures, Report
from portal.core.charts import Spread
from tickets.exporting import csv_response

COLUMNS: Final = (
    "Project", "Service", "Environment", "First day", "Last day", "Went live", "Per week", "Failed", "Taken back",
    "Degraded", "Failure rate, %", "Changes", "Lead time, median, s", "Lead time, 90 %, s", "Restored",
    "Restore, median, s", "Restore, 90 %, s", "Not restored", "Over the unknown", "Live before accepted",
)  # fmt: skip


def as_csv(found: Report) -> HttpResponse:
    """A line for all together, then one for each place."""
    lines = (_cells(found, one) for one in [found.whole, *found.places])
    return csv_response("deployment-figures.csv", COLUMNS, lines, figures.PLACES_SHOWN + 1)


def _cells(found: Report, one: Figures) -> list[Any]:
    place = one.place
    return [
        *((place.project, place.service, place.environment) if place else ("all", "all", "all")),
        found.asked.since.isoformat(),
        found.asked.until.isoformat(),
        *(one.live, one.per_week, one.failed, one.taken_back, one.degraded, one.rate),
        *_seconds(one.lead),
        *_seconds(one.restore),
        *(one.unrestored, one.unknown, one.early),
    ]


def _seconds(times: Spread | None) -> Iterator[int | None]:
    yield times.number if times else 0
    yield round(times.median.total_seconds()) if times else None
    yield round(times.slow.total_seconds()) if times else None
