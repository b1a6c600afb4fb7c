"""Findings as JSON: one object each, in a list that the importer reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from reviews.exporting.rows import Row, rows, why
from reviews.models import Finding, Severity


def pieces(found: QuerySet[Finding], most: int, total: int) -> Iterator[str]:
    yield '{"findings": ['
    for number, row in enumerate(rows(found, most)):
        yield f"{',' if number else ''}\n{json.dumps(_object(row), ensure_ascii=False)}"
    cut = {"total": total, "most": most, "cut": total > most}
    yield f'\n], "shown": {json.dumps(cut)}}}\n'


def _object(row: Row) -> dict[str, Any]:
    finding = row.finding
    return {
        "ref": finding.reference,
        "title": finding.title,
        "severity": finding.severity if finding.severity != Severity.NONE else None,
        # the importer's word, and ours
        "status": row.status,
        "state": finding.state,
        "status_reason": why(finding),
        "standing": row.standing,
        "category": finding.category,
        "rule": finding.rule,
        "files": [str(place) for place in finding.files],
        "ticket": finding.ticket.key if finding.ticket else None,
        "project": finding.series.project.key,
        "series": finding.series.name,
        "found_at": finding.created_at.isoformat(timespec="seconds"),
        "fingerprints": [f"{one.algorithm}/{one.version}:{one.value}" for one in row.prints],
    }
