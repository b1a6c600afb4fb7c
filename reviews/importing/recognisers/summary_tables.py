"""Tables with one finding per row: an index with refs, a summary, or the only place where findings stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reviews.importing import decoys
from reviews.importing.document import Block, Row, Section
from reviews.importing.model import LeftOut
from reviews.importing.recognisers.candidate import Candidate, Proposal, tier_of
from reviews.importing.recognisers.columns import Columns, columns_of
from reviews.importing.regions import Outline, Region
from reviews.importing.titles import plain, read_title
from reviews.importing.vocabulary import severity_of, status_of

WEIGHT_REF = 0.85
WEIGHT_LISTED = 0.75
MAX_ROWS = 20_000

_REF_CELL = re.compile(r"^\[?#?(?:[A-Z][A-Za-z0-9]*(?:[-_#]+[A-Z0-9]+)*[-_ #]*\d+[a-z]?|\d+(?:\.\d+)*)\]?$")


def propose(outline: Outline) -> Iterator[Proposal]:
    for section in outline.document.sections():
        for table in section.blocks:
            if table.kind == "table":
                yield from _rows(table, section, outline)


def _rows(table: Block, section: Section, outline: Outline) -> Iterator[Proposal]:
    columns = columns_of(table)
    if columns is None:
        return
    region = outline.region(section)
    with_refs = columns.ref is not None and _mostly_refs(table, columns.ref)
    if not _lists_findings(table, columns, region, with_refs):
        return
    for row in table.rows[:MAX_ROWS]:
        if _continues(row, columns):
            continue
        yield _row(row, columns, section, outline, WEIGHT_REF if with_refs else WEIGHT_LISTED)


def _lists_findings(table: Block, columns: Columns, region: Region, with_refs: bool) -> bool:
    if region.kind == "decoy":
        return with_refs and columns.severity is not None and _named_refs(table, columns)
    placed = columns.file is not None or columns.fix is not None
    if with_refs and (placed or columns.severity is not None or columns.status is not None):
        return True
    if columns.says_problem and (columns.severity is not None or placed):
        return True
    if region.kind != "neutral":
        return columns.severity is not None or with_refs or columns.says_problem
    return columns.rated and (placed or columns.ref is not None or columns.status is not None)


def _continues(row: Row, columns: Columns) -> bool:
    """A row without rating, ref, place and status goes on with the row above it."""
    keys = [at for at in (columns.severity, columns.ref, columns.file, columns.status) if at is not None]
    return len(keys) >= 2 and columns.rated and not any(_cell(row, at).strip() for at in keys)


def _named_refs(table: Block, columns: Columns) -> bool:
    return columns.ref is not None and any(re.search(r"[A-Za-z]", _cell(row, columns.ref)) for row in table.rows)


def _mostly_refs(table: Block, column: int) -> bool:
    cells = [plain(_cell(row, column)).strip("*` ") for row in table.rows]
    named = [cell for cell in cells if cell]
    return bool(named) and sum(1 for cell in named if _REF_CELL.match(cell)) * 2 > len(named)


def _cell(row: Row, column: int | None) -> str:
    return row.cells[column] if column is not None and column < len(row.cells) else ""


def _row(row: Row, columns: Columns, section: Section, outline: Outline, weight: float) -> Proposal:
    region = outline.region(section)
    raw = _cell(row, columns.title)
    parts = replace(read_title(raw, outline.weak), checked=False)
    ref = plain(_cell(row, columns.ref)).strip("*`[]~ ") if columns.ref is not None else ""
    if ref and _REF_CELL.match(ref):
        parts = replace(parts, number=ref) if ref.isdigit() else replace(parts, ref=ref)
    severity = plain(_cell(row, columns.severity))
    if severity_of(severity) is not None or (severity and parts.severity is None and re.search(r"\w", severity)):
        parts = replace(parts, severity=severity_of(severity), severity_as_written=severity.strip("*` "))
    status = plain(_cell(row, columns.status))
    if status:
        parts = replace(parts, status=status_of(status) or parts.status, status_as_written=status)
    why_not = decoys.not_a_finding(parts, raw) or _not_a_row(ref, status, parts.title)
    if why_not is not None:
        return LeftOut(row.line, row.line, parts.title[:200], why_not)
    cells = tuple((name, _cell(row, at).strip()) for name, at in columns.named() if _cell(row, at).strip())
    if columns.ticket and ref:
        cells = (*cells, ("ticket", ref))
    return Candidate(
        shape="row",
        parts=parts,
        region=region,
        section=section,
        line_start=row.line,
        line_end=row.line,
        reason="a row of a table of findings",
        weight=weight,
        tier=1 if region.kind == "decoy" or (region.kind == "recap" and parts.ref) else tier_of(region),
        row=row,
        cells=cells,
        title=parts.title,
    )


def _not_a_row(ref: str, status: str, title: str) -> str | None:
    if re.match(r"^(?:total|totals|sum|итого|summa|всего)\b", title, re.IGNORECASE) or ref.lower() == "total":
        return "a row of totals"
    if re.match(
        r"^\W*(?:✅\s*)?(?:pass(?:ed)?|ok|good|safe|compliant|n/?a|present|excellent|clean)\W*$",
        status,
        re.IGNORECASE,
    ):
        return "the author calls it clean"
    return None
