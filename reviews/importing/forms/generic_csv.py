"""Any table with a header: commas, semicolons or tabs between its cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from reviews.importing.forms.columns import meanings, tells_of_findings
from reviews.importing.forms.gathering import Gathering
from reviews.importing.forms.rows import Row, add_row
from reviews.importing.forms.said import Said
from reviews.importing.forms.source import Source
from reviews.importing.forms.values import line_text
from reviews.importing.mapping import Mapping
from reviews.importing.model import BadInput

FORM: Final = "csv"
DELIMITERS: Final = (",", ";", "\t")
MAX_COLUMNS: Final = 500
MAX_HEADER: Final = 20_000
LOOKED_AT: Final = 50
SAME_WIDTH: Final = 0.6

_SEPARATOR: Final = re.compile(r"^\ufeff?sep=(.)\s*$")
_MARKDOWN: Final = re.compile(r"^\s*(?:#{1,6}\s|[|>*-]|```|\d+\.\s)")


class Table:
    """The cells of a document, once it is known what stands between them."""

    def __init__(self, source: Source, mapping: Mapping | None) -> None:
        self._source = source
        head = source.text[:MAX_HEADER].split("\n", 2)
        said = _SEPARATOR.match(head[0])
        self.skipped = 1 if said else 0
        line = head[self.skipped] if len(head) > self.skipped else ""
        self.delimiter = said[1] if said else _delimiter(line, mapping)
        self.header = tuple(line_text(cell, 200) for cell in next(self._rows(self.skipped, 1), ((), (1, 1)))[0])

    def rows(self) -> Iterator[tuple[list[str], tuple[int, int]]]:
        """(cells, lines) of each row under the header; BadInput where the quotes do not close."""
        rows = self._rows(self.skipped, None)
        next(rows, None)
        yield from rows

    def _rows(self, skipped: int, most: int | None) -> Iterator[tuple[list[str], tuple[int, int]]]:
        lines = io.TextIOWrapper(io.BytesIO(self._source.raw), "utf-8", errors="replace", newline="")
        for _ in range(skipped):
            next(lines, None)
        reader = csv.reader((line.replace("\0", "\ufffd") for line in lines), delimiter=self.delimiter, strict=True)
        before = skipped
        try:
            for count, cells in enumerate(reader):
                if most is not None and count >= most:
                    return
                if len(cells) > MAX_COLUMNS:
                    raise BadInput("too_many_columns", f"Line {before + 1} has more than {MAX_COLUMNS} cells.")
                if any(cell.strip() for cell in cells):
                    yield cells, (before + 1, max(reader.line_num + skipped, before + 1))
                before = reader.line_num + skipped
        except csv.Error as error:
            raise BadInput("broken_csv", f"The table is broken at line {before + 1}: {error}.") from error


def _delimiter(line: str, mapping: Mapping | None) -> str:
    """What makes the most known columns of the header; else the most columns."""
    wanted = {column.casefold() for _, column in mapping.fields} if mapping else None

    def known(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        if len(cells) > MAX_COLUMNS:
            return 0, 0
        names = {cell.strip().casefold() for cell in cells} & wanted if wanted else meanings(cells)
        return len(names), len(cells)

    return max(DELIMITERS, key=known)


def looks_like_csv(source_text: str) -> bool:
    """Whether the first line may be a header: cheap, for it is asked of every document."""
    line = source_text.lstrip("\ufeff").partition("\n")[0][:MAX_HEADER]
    if _SEPARATOR.match(line):
        return True
    if _MARKDOWN.match(line) and not re.match(r"^#[,;\t]", line):
        return False
    return any(delimiter in line for delimiter in DELIMITERS)


def recognises(table: Table) -> bool:
    """A header that speaks of findings, and rows of its width."""
    parts = meanings(table.header)
    if len(table.header) < 2 or not tells_of_findings(parts):
        return False
    widths: list[int] = []
    try:
        widths.extend(len(cells) for (cells, _) in islice(table.rows(), LOOKED_AT))
    except BadInput:
        # Quotes that do not close may be prose, or a table cut short: a header of three known columns is no prose.
        return len(parts) >= 3
    alike = sum(1 for width in widths if width == len(table.header))
    return alike >= SAME_WIDTH * len(widths) if widths else len(parts) >= 3


def read(table: Table, mapping: Mapping | None, gathering: Gathering) -> Said:
    parts = _mapped(table.header, mapping) if mapping else meanings(table.header)
    if "title" not in parts:
        raise BadInput("no_title", f"No column is the title; the columns are {_listed(table.header)}.")
    at = {name: index for index, name in reversed(list(enumerate(table.header)))}
    taken = set(parts.values())
    others = tuple(name for name in dict.fromkeys(table.header) if name and name not in taken)
    for cells, lines in table.rows():
        if len(cells) > len(table.header):
            gathering.warn("A row has more cells than the header; those beyond it were left away", lines[0])

        def value(name: str, cells: list[str] = cells) -> object:
            index = at[name]
            return cells[index] if index < len(cells) else None

        add_row(Row(value, parts, others, lines), "a row of a table", mapping, gathering)
    return Said()


def _mapped(header: tuple[str, ...], mapping: Mapping) -> dict[str, str]:
    names = {name.casefold(): name for name in reversed(header)}
    missing = [column for _, column in mapping.fields if column.casefold() not in names]
    if missing:
        raise BadInput("no_column", f"The mapping names {_listed(missing)}, and the table has only {_listed(header)}.")
    return {part: names[column.casefold()] for part, column in mapping.fields}


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(f'"{name[:60]}"' for name in names[:40])
    return f"{shown} and {len(names) - 40} more" if len(names) > 40 else shown or "none"
