"""A document as its page shows it: numbered lines with the findings marked, or laid out; both bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.utils.safestring import SafeString

from portal.core import markdown
from reviews.importing.model import BadInput, Note
from reviews.importing.text import decode
from reviews.models import Review, Severity

LINES_SHOWN: Final = 5000
CHARACTERS_SHOWN: Final = 500_000
LINE_CHARACTERS: Final = 4000
TONES: Final[dict[str, str]] = {Severity.CRITICAL: "bad", Severity.HIGH: "warn"}
_WORST: Final[dict[str, int]] = {severity: place for place, severity in enumerate(Severity.values)}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that lines belong to: where its link leads, what it says, and how grave it is."""

    start: int
    end: int
    target: str
    label: str
    severity: str


@dataclass(slots=True)
class Line:
    number: int
    text: str
    cut: int = 0
    severity: str = ""
    marks: list[Mark] = field(default_factory=list)

    @property
    def tone(self) -> str:
        return TONES.get(self.severity, "")


class Document(NamedTuple):
    """Lines as text, or the whole laid out. ``more``: lines that are left out; ``refusal``: why there is no text."""

    lines: list[Line]
    total: int
    more: int
    notes: list[str]
    refusal: str
    rendered: SafeString | None = None


def content(review: Review) -> bytes:
    return bytes(Review.objects.values_list("content", flat=True).get(pk=review.pk))


def document(review: Review, marks: Iterable[Mark] = (), *, rendered: bool = False) -> Document:
    text, notes = review.read_text, tuple[Note, ...]()
    if not text:
        try:
            text, notes = decode(content(review))
        except BadInput as refusal:
            return Document([], 0, 0, [], refusal.message)
    every = text.split("\n")
    if every and not every[-1]:
        every.pop()
    said = [note.text for note in notes]
    if rendered:
        return Document([], len(every), 0, said, "", markdown.render(text))
    lines = _lines(every)
    for mark in marks:
        _put(lines, mark)
    return Document(lines, len(every), len(every) - len(lines), said, "")


def _lines(every: list[str]) -> list[Line]:
    lines: list[Line] = []
    room = CHARACTERS_SHOWN
    for number, written in enumerate(every[:LINES_SHOWN], start=1):
        room -= min(len(written), LINE_CHARACTERS)
        if room < 0:
            break
        lines.append(Line(number, written[:LINE_CHARACTERS], cut=max(0, len(written) - LINE_CHARACTERS)))
    return lines


def _put(lines: list[Line], mark: Mark) -> None:
    """A line of two findings looks like the graver of them."""
    for line in lines[max(0, mark.start - 1) : mark.end]:
        if not line.severity or _WORST[mark.severity] < _WORST[line.severity]:
            line.severity = mark.severity
    if 0 < mark.start <= len(lines):
        lines[mark.start - 1].marks.append(mark)
