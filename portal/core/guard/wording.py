"""The report for a terminal and for a log."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from portal.core.guard.answer import Report
from portal.core.guard.compare import Weight

_WIDTHS: Final = (22, 44, 44)
Row = tuple[str, str, str]


def rows(report: Report) -> Iterator[tuple[Weight, Row]]:
    """What differs, as (weight, (what, code expects, database has)); migrations first."""
    # Of an empty database the sentence says it all.
    for app, name in report.pending if report.code != "schema_empty" else ():
        yield Weight.REFUSE, ("Behind", f"{app}.{name}", "not applied")
    for (app, name), record in report.ahead.items():
        weight = Weight.EXPLAINED if record.kind == "expand" else Weight.REFUSE
        when = f", applied {record.applied_at:%d %b %Y %H:%M}" if record.applied_at else ""
        has = f"{app}.{name}{when}, recorded as {record.kind or 'nothing'}"
        yield weight, ("Ahead", f"nothing of that name in {app}", has)
    for row in report.differences:
        yield row.weight, (row.what, f"{row.place}: {row.expects}", row.has)


def text(report: Report) -> str:
    """The whole report: sentence, table, override, what mends it."""
    lines = [f"Schema guard: {report.answer.value}. {report.sentence}"]
    if report.detail:
        lines.append(report.detail)
    found = [(f"{what} ({weight})", expects, has) for weight, (what, expects, has) in rows(report)]
    if found:
        lines += ["", *_table([("What", "Code expects", "Database has"), *found])]
    if report.override is not None:
        state = "holds" if report.override.holds else "is over"
        lines += ["", f"Override {state}: {report.override}"]
    if report.mend:
        lines += ["", "What mends it:"]
        for number, step in enumerate(report.mend, start=1):
            lines.append(f"  {number}. {step.title}")
            lines += [f"       {line}" for line in step.command.splitlines()]
    lines += ["", f"Database {report.database} ({report.engine}), read in {report.milliseconds} ms."]
    if report.fingerprint:
        lines[-1] += f" Fingerprint {report.fingerprint}, expected {report.expected_fingerprint}."
    return "\n".join(lines)


def _table(found: Iterable[Row]) -> Iterator[str]:
    for row in found:
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDTHS, strict=True)]
        for index in range(max(map(len, cells))):
            parts = [cell[index] if index < len(cell) else "" for cell in cells]
            yield "  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()
