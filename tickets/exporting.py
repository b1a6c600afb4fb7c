"""A list as a file for spreadsheets: bounded, and no cell of it is ever a formula there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from django.http import HttpResponse

# A spreadsheet runs what begins so: it is told that the cell is text.
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """What a cell holds: text as it is, but never the beginning of a formula, whatever blanks stand before it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_RUNS) and not isinstance(value, int | float) else text


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]], most: int) -> HttpResponse:
    """``rows`` as the file ``name``: at most ``most`` of them, with a last line that says so where there were more."""
    page = io.StringIO()
    write = csv.writer(page, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow
    write([cell(title) for title in header])
    left = iter(rows)
    for row in islice(left, most):
        write([cell(value) for value in row])
    if next(left, None) is not None:
        write([f"Only the first {most:,} rows are in this file. Filter the list for the others."])
    response = HttpResponse(page.getvalue().encode(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
