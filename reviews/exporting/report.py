"""Findings as a Markdown document for people, which imports as the same findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.db.models import Count, QuerySet

from reviews.exporting.rows import Row, rows, why
from reviews.importing.titles import read_title
from reviews.models import Finding, FindingState, Severity

# Such headings say that findings stand under them, and how grave those are.
_SECTIONS: Final[dict[str, str]] = {
    severity.value: f"{severity.label} findings" if severity != Severity.NONE else "Findings of no stated severity"
    for severity in Severity
}
_CODE: Final = re.compile(r"(`[^`]+`)")
_MARKS: Final = re.compile(r"[&<>]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def pieces(found: QuerySet[Finding], most: int, total: int) -> Iterator[str]:
    """The gravest first, in sections by severity; the first lines count what is in it, as reviews do."""
    counts = dict(found.order_by().values_list("severity").annotate(number=Count("pk")))
    left, written = most, dict[str, int]()
    for severity in Severity.values:
        written[severity] = min(counts.get(severity, 0), left)
        left -= written[severity]
    yield f"# Report of findings\n\n{_totals(written)}\n"
    if total > most:
        yield f"\nOnly the first {most:,} of {total:,} are in this document. Filter the list for the others.\n"
    for severity in Severity:
        if written[severity.value]:
            yield f"\n## {_SECTIONS[severity.value]}\n"
            for row in rows(found.filter(severity=severity.value), written[severity.value]):
                yield f"\n{text_of(row)}\n"


def _totals(written: dict[str, int]) -> str:
    every = sum(written.values())
    said = [f"{number} {severity}" for severity, number in written.items() if number and severity != Severity.NONE]
    told = f": {', '.join(said)}" if said else ""
    return f"{every} finding{'' if every == 1 else 's'} in total{told}."


def text_of(row: Row) -> str:
    finding = row.finding
    heading, named = heading_of(finding.reference, finding.title)
    facts = [
        ("Reference", "" if named else _plain(finding.reference)),
        ("Severity", finding.severity if finding.severity != Severity.NONE else ""),
        ("Status", _status(row)),
        ("Files", ", ".join(_place(str(place)) for place in finding.files)),
        ("Category", _plain(finding.category)),
        ("Rule", _code(finding.rule) if finding.rule else ""),
        ("Ticket", finding.ticket.key if finding.ticket else ""),
        ("Reviewed as", _plain(row.place)),
    ]
    listed = [f"- **{label}:** {value}" for label, value in facts if value]
    return "\n".join([f"### {heading}", "", *listed])


def heading_of(reference: str, title: str) -> tuple[str, bool]:
    """The heading that reads as this reference and this title, and whether it names the reference.

    A title that the importer takes apart in any case stands as it is.
    """
    title = " ".join(title.split())
    masked = _masked(title)
    if not reference:
        return masked, True
    # A plain number is followed by a full stop; one of several parts by a space.
    written = [f"{reference}: {masked}", f"{reference}. {masked}", f"{reference} {masked}", f"[{reference}] {masked}"]
    for same_title in (True, False):
        for heading in written:
            parts = read_title(heading)
            if (parts.ref or parts.number) == reference and (parts.title == title or not same_title):
                return heading, True
    return masked, False


def _status(row: Row) -> str:
    state, said = row.finding.get_state_display().lower(), _plain(why(row.finding))
    told = row.status if row.finding.state in (row.status, FindingState.OPEN) else f"{row.status} ({state})"
    return f"{told}. {said}" if said and row.finding.state != FindingState.OPEN else told


def _plain(text: str) -> str:
    """One line without a tag in it."""
    return _masked(" ".join(text.split()))


def _masked(text: str) -> str:
    """No tag outside of code, where all stands as it is."""
    pieces = _CODE.split(text)
    pieces[::2] = [_MARKS.sub(lambda found: _ENTITIES[found[0]], piece) for piece in pieces[::2]]
    return "".join(pieces)


def _place(place: str) -> str:
    """The path as code; lines that are said in words follow it."""
    path, said, lines = place.partition(" ")
    in_words = said and lines.lstrip("(").lower().startswith("line")
    return f"{_code(path)} {_plain(lines)}" if in_words else _code(place)


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"
