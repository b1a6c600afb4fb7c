"""What the pages of reviews show: bounded, within the reader's scopes, a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db.models import Count, F, Q, QuerySet

from portal.core.models import Activity
from reviews.importing.model import BadInput
from reviews.importing.text import decode
from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, Severity
from reviews.transitions import FINDING
from tickets.queries import Page, page_of, seen_by

LINES_SHOWN: Final = 5000
CHARACTERS_SHOWN: Final = 500_000
LINE_CHARACTERS: Final = 4000
ROWS_SHOWN: Final = 500
FINDINGS_SHOWN: Final = 300
TONES: Final[dict[str, str]] = {Severity.CRITICAL: "bad", Severity.HIGH: "warn"}


def review_list(reader: Any, *, project: str, state: str, before: int | None) -> Page:
    rows = seen_by(
        reader, Review.objects.select_related("series__project").defer("content", "reading"), "series__project"
    )
    if project:
        rows = rows.filter(series__project__key=project)
    if state:
        rows = rows.filter(state=state)
    return page_of(rows.annotate(found=F("reading__found__total"), stated=F("reading__stated__total")), before)


def uploader(review: Review) -> str:
    received = Activity.objects.filter(subject=review.subject, verb="review.received")
    return received.values_list("actor_label", flat=True).order_by("id").first() or ""


# What the reading said ----------------------------------------------------------


class Total(NamedTuple):
    severity: str
    stated: int | None
    found: int

    @property
    def difference(self) -> int:
        return 0 if self.stated is None else self.found - self.stated


def totals(review: Review) -> list[Total]:
    """Stated beside found, by severity; those of which the document has none and says none are left out."""
    stated, found = review.reading.get("stated") or {}, review.reading.get("found") or {}
    return [
        Total(name, stated.get(name), found.get(name, 0))
        for name in (*Severity.values, "total")
        if name in stated or found.get(name)
    ]


class Plan(NamedTuple):
    rows: list[ImportRow]
    new: int
    seen: int
    more: int


def plan(review: Review) -> Plan:
    every = ImportRow.objects.filter(review=review)
    numbers = every.aggregate(new=Count("id", filter=Q(action="new")), seen=Count("id", filter=Q(action="seen")))
    rows = list(every.order_by("n")[:ROWS_SHOWN])
    return Plan(rows, numbers["new"], numbers["seen"], numbers["new"] + numbers["seen"] - len(rows))


# The document -------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    number: int
    text: str
    cut: int = 0
    tone: str = ""
    on: bool = False
    marks: list[tuple[str, str]] = field(default_factory=list)


class Document(NamedTuple):
    """Lines as text. ``more``: lines that are left out; ``refusal``: why there is no text at all."""

    lines: list[Line]
    total: int
    more: int
    notes: list[str]
    refusal: str


def content(review: Review) -> bytes:
    return bytes(Review.objects.values_list("content", flat=True).get(pk=review.pk))


def document(review: Review, findings: Iterable[FindingRow] = ()) -> Document:
    try:
        text, notes = decode(content(review))
    except BadInput as refusal:
        return Document([], 0, 0, [], refusal.message)
    every = text.split("\n")
    if every and not every[-1]:
        every.pop()
    lines: list[Line] = []
    room = CHARACTERS_SHOWN
    for number, written in enumerate(every[:LINES_SHOWN], start=1):
        room -= min(len(written), LINE_CHARACTERS)
        if room < 0:
            break
        lines.append(Line(number, written[:LINE_CHARACTERS], cut=max(0, len(written) - LINE_CHARACTERS)))
    for row in findings:
        _mark(lines, row)
    return Document(lines, len(every), len(every) - len(lines), [note.text for note in notes], "")


def _mark(lines: list[Line], row: FindingRow) -> None:
    start, end = row.occurrence.line_start, row.occurrence.line_end
    for line in lines[max(0, start - 1) : end]:
        if not line.on or TONES.get(row.finding.severity):
            line.on, line.tone = True, TONES.get(row.finding.severity, line.tone)
    if 0 < start <= len(lines):
        label = row.finding.reference or f"finding {row.finding.pk}"
        lines[start - 1].marks.append((f"finding-{row.finding.pk}", label))


# Findings -----------------------------------------------------------------------


@dataclass(slots=True)
class FindingRow:
    occurrence: Occurrence
    finding: Finding
    verbs: list[Any]
    # the answer that was tried and refused, with what was typed
    tried: Any = None

    @property
    def selectable(self) -> bool:
        return self.finding.ticket_id is None and self.finding.state == FindingState.OPEN


class Findings(NamedTuple):
    rows: list[FindingRow]
    more: int
    unowned: int


def findings(review: Review) -> Findings:
    every = Occurrence.objects.filter(review=review)
    found = every.aggregate(
        all=Count("id"), unowned=Count("id", filter=Q(finding__ticket=None, finding__state=FindingState.OPEN))
    )
    occurrences = every.select_related("finding__ticket").order_by("line_start", "id")[:FINDINGS_SHOWN]
    rows = [FindingRow(said, said.finding, FINDING.allowed(said.finding.state)) for said in occurrences]
    return Findings(rows, found["all"] - len(rows), found["unowned"])


def of_review(review: Review, number: int) -> Finding | None:
    rows: QuerySet[Finding] = Finding.objects.filter(occurrences__review=review).select_related("series__project")
    return rows.filter(pk=number).first() if number < 2**63 else None
