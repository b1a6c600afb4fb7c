"""What the schema page says beside the differences: who runs, and what was rehearsed last."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db import DatabaseError, connection

from portal.core.guard import Report, beside
from portal.core.guard.beside import Seen
from portal.core.models import Rehearsal

REHEARSALS_SHOWN: Final = 5
PROCESSES_SHOWN: Final = 20
LINES_SHOWN: Final = 20


class Line(NamedTuple):
    row: Rehearsal
    losses: list[dict[str, Any]]
    # of ``losses``, tables and columns that had something in them
    with_rows: int
    more: int


class Runs(NamedTuple):
    process: Seen
    is_other: bool


def context(report: Report) -> dict[str, object]:
    """Empty where the database does not answer, or its schema is not what could be asked."""
    try:
        rehearsals = list(Rehearsal.objects.order_by("-id")[: REHEARSALS_SHOWN + 1])
        processes = beside.seen(connection)
    except DatabaseError:
        return {}
    fits = [row for row in rehearsals if row.fingerprint == report.expected_fingerprint]
    others = sum(process.schema != report.expected_fingerprint for process in processes)
    # Other code first: it is what somebody looks for.
    order = sorted(processes, key=lambda process: (process.schema == report.expected_fingerprint, process.name))
    shown = [Runs(process, process.schema != report.expected_fingerprint) for process in order[:PROCESSES_SHOWN]]
    return {
        "told": True,
        "rehearsals": [_line(row) for row in rehearsals[:REHEARSALS_SHOWN]],
        "older": len(rehearsals) > REHEARSALS_SHOWN,
        "rehearsed": bool(fits) and fits[0].result == Rehearsal.Result.PASSED,
        "processes": shown,
        "processes_more": len(processes) - len(shown),
        "others": others,
    }


def _line(row: Rehearsal) -> Line:
    losses = sorted(row.losses, key=lambda loss: -loss["rows"])
    shown = losses[:LINES_SHOWN]
    return Line(row, shown, sum(loss["rows"] > 0 for loss in losses), len(losses) - len(shown))
