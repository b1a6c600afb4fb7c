"""Tables and lists that only say how it stands with findings named elsewhere: `| H1 | FIXED |`, `- [x] C2`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reviews.importing.document import Block
from reviews.importing.model import Severity, Status
from reviews.importing.recognisers.cells import MOST, column, is_ref, share
from reviews.importing.recognisers.columns import MAX_COLUMNS, meanings_of
from reviews.importing.regions import Outline
from reviews.importing.titles import plain
from reviews.importing.vocabulary import severity_of, status_of


@dataclass(frozen=True, slots=True)
class Standing:
    """What one row says of a ref."""

    ref: str
    line: int
    status: Status | None
    status_as_written: str | None
    severity: Severity | None
    severity_as_written: str | None


def standings(outline: Outline) -> Iterator[Standing]:
    for section in outline.document.sections():
        for table in section.blocks:
            if table.kind != "table":
                continue
            columns = meanings_of(table)
            if "ref" not in columns:
                # `| Finding | Status |` over rows that begin with a ref alone.
                columns = {**columns, **_refs_by_cells(table)}
            if "ref" not in columns or not {"status", "severity"} & columns.keys():
                continue
            for row in table.rows:
                cells = {name: plain(row.cells[at]) for name, at in columns.items() if at < len(row.cells)}
                ref = cells.get("ref", "").strip("*`[]~ ")
                status, severity = cells.get("status", ""), cells.get("severity", "")
                if ref and (status or severity):
                    yield Standing(
                        ref,
                        row.line,
                        status_of(status),
                        status or None,
                        severity_of(severity),
                        severity.strip("*") or None,
                    )


def _refs_by_cells(table: Block) -> dict[str, int]:
    width = min(len(table.header), MAX_COLUMNS)
    return next(({"ref": at} for at in range(width) if share(column(table, at), is_ref) >= MOST), {})
