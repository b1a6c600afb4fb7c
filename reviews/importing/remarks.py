"""What a reader of the findings should know: severities that are none, refs that stand twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reviews.importing.document import Document
from reviews.importing.model import Note, ParsedFinding
from reviews.importing.recognisers import Candidate
from reviews.importing.reconcile import Selection
from reviews.importing.similarity import Comparer, normal

MAX_REMARKS = 200
NAMED_LINES = 20
COMPARED_LETTERS = 2_000_000

_RATES = re.compile(r"severity|sev\b|priority|prio\b|risk|level|rating", re.IGNORECASE)


def remarks(findings: Sequence[ParsedFinding], selection: Selection, document: Document) -> tuple[Note, ...]:
    notes = [*_unknown_severities(findings, document), *_equal_refs(findings, selection)]
    if len(notes) > MAX_REMARKS:
        more = Note(f"{len(notes) - MAX_REMARKS} more remarks on severities and refs are not shown.")
        notes = [*notes[:MAX_REMARKS], more]
    silent = tuple(f.line_start for f in findings if f.severity is None and f.severity_as_written is None)
    if silent:
        notes.append(Note(f"No severity is stated for {_count(len(silent), 'finding')}: {_named(silent)}.", silent))
    return tuple(notes)


def _unknown_severities(findings: Sequence[ParsedFinding], document: Document) -> Iterator[Note]:
    lines: dict[str, list[int]] = {}
    for finding in findings:
        if finding.severity is None and finding.severity_as_written:
            lines.setdefault(finding.severity_as_written, []).append(_line_of(finding, document))
    for written, at in lines.items():
        yield Note(f'"{written}" is no known severity and counts as not stated: {_named(at)}.', tuple(at))


def _line_of(finding: ParsedFinding, document: Document) -> int:
    """The line on which the word stands, else the finding's first."""
    written = finding.severity_as_written or ""
    for number in range(finding.line_start, min(finding.line_end, finding.line_start + 40) + 1):
        line = document.lines[number - 1][:1_000]
        if written in line and (number == finding.line_start or _RATES.search(line)):
            return number
    return finding.line_start


def _equal_refs(findings: Sequence[ParsedFinding], selection: Selection) -> Iterator[Note]:
    lines: dict[str, list[int]] = {}
    for finding in findings:
        if finding.ref:
            lines.setdefault(finding.ref, []).append(finding.line_start)
    for ref, at in lines.items():
        if len(at) > 1:
            yield Note(f"{_count(len(at), 'finding')} bear the ref {ref}: {_named(at)}.", tuple(at))
    comparer = Comparer(COMPARED_LETTERS)
    for chosen in selection.chosen:
        at = [chosen.line_start, *_swallowed(chosen, selection, comparer)]
        if len(at) > 1:
            said = f"The ref {chosen.parts.ref} stands on unlike entries, read as one finding: {_named(at)}."
            yield Note(said, tuple(at))


def _swallowed(chosen: Candidate, selection: Selection, comparer: Comparer) -> Iterator[int]:
    """Entries of the same list or table that bear the same ref and another title."""
    for repeat in selection.merged.get(chosen.line_start, ()):
        same = chosen.parts.ref is not None and repeat.parts.ref == chosen.parts.ref
        if same and repeat.shape == chosen.shape and not comparer.same(normal(repeat.title), normal(chosen.title)):
            yield repeat.line_start


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _named(lines: Sequence[int]) -> str:
    named = ", ".join(str(line) for line in lines[:NAMED_LINES])
    return f"line{'' if len(lines) == 1 else 's'} {named}{', ...' if len(lines) > NAMED_LINES else ''}"
