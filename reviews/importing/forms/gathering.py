"""What a form gives, gathered within bounds: findings, what is left out and why, and what a reader should know."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from reviews.importing import totals
from reviews.importing.forms.source import Source
from reviews.importing.forms.values import clipped
from reviews.importing.model import BadInput, LeftOut, Metadata, Note, ParsedFinding, ParsedReview

MAX_FINDINGS: Final = 100_000
MAX_LEFT_OUT: Final = 2_000
MAX_ENTRIES: Final = 200_000
MAX_WARNINGS: Final = 200
MAX_NOTED_LINES: Final = 1_000
NAMED_LINES: Final = 20
MAX_FINGERPRINTS: Final = 20
PORTIONS: Final = 8
OWN: Final = "content/1"

Lines = tuple[int, int]


class Gathering:
    """Findings of one document, in its order."""

    def __init__(self, source: Source, form: str) -> None:
        self._source = source
        self._form = form
        self._findings: list[ParsedFinding] = []
        self._basis: list[str] = []
        self._left_out: list[LeftOut] = []
        self._not_read = 0
        self._more_left_out: Counter[str] = Counter()
        self._warnings: dict[str, list[int]] = {}
        self._notes: list[Note] = []

    def add(self, finding: ParsedFinding, basis: str = "") -> None:
        """`basis` is what its own fingerprint is made of: words that no shifted line and no other order changes."""
        if len(self._findings) >= MAX_FINDINGS:
            raise BadInput(
                "too_many_findings", f"The document has more than {MAX_FINDINGS} findings: import it in parts."
            )
        self._findings.append(finding)
        words = basis or "\0".join((finding.rule or "", *map(_path, finding.files[:1]), finding.title))
        self._basis.append(_digest(words))

    def leave_out(self, lines: Lines, text: str, reason: str) -> None:
        self._not_read += 1
        if self._not_read + len(self._findings) > MAX_ENTRIES:
            raise BadInput("too_many_entries", f"The document has more than {MAX_ENTRIES} entries: import it in parts.")
        if len(self._left_out) < MAX_LEFT_OUT:
            self._left_out.append(LeftOut(*lines, text or "(without a title)", reason))
        else:
            self._more_left_out[reason] += 1

    def warn(self, text: str, line: int) -> None:
        """Something of one entry that was not taken as written; the lines of the same words are told together."""
        if text in self._warnings or len(self._warnings) < MAX_WARNINGS:
            lines = self._warnings.setdefault(text, [])
            if len(lines) < MAX_NOTED_LINES:
                lines.append(line)

    def note(self, text: str, *lines: int) -> None:
        self._notes.append(Note(text, lines))

    def review(
        self,
        *,
        name: str,
        sha256: str,
        title: str | None,
        tool: str | None,
        metadata: Metadata | None = None,
        verdict: str | None = None,
        notes: Sequence[Note] = (),
    ) -> ParsedReview:
        findings = self._identified()
        return ParsedReview(
            name=name,
            sha256=sha256,
            text=self._source.text,
            notes=(*self._source.notes, *notes, *self._notes, *self._told()),
            title=title or None,
            metadata=metadata or Metadata(),
            findings=findings,
            left_out=tuple(sorted(self._left_out, key=lambda piece: piece.line_start)),
            stated_totals=(),
            found_totals=totals.found(findings),
            disagreements=(),
            verdict=verdict,
            form=self._form,
            tool=tool or None,
        )

    def _identified(self) -> tuple[ParsedFinding, ...]:
        """Each with the fingerprints that single it out, and one of its own content.

        What several findings bear alike names none of them. Findings of the same content are counted in the order
        of their places, not of the document, so that the same results in another order get the same fingerprints.
        """
        shared = self._shared()
        if shared:
            self.note(f"{len(shared)} fingerprint(s) stand on more than one finding and identify none of them.")
        numbered = self._numbered()
        for at, finding in enumerate(self._findings):
            telling = (pair for pair in sorted(set(finding.fingerprints)) if pair not in shared)
            own = (OWN, _digest(f"{self._basis[at]}\0{numbered.get(at, 0)}"))
            # In its place, for two lists of all findings would not fit beside a large document.
            self._findings[at] = replace(finding, fingerprints=(*telling, own)[-MAX_FINGERPRINTS:])
        return tuple(self._findings)

    def _numbered(self) -> dict[int, int]:
        """The number of each among those of the same content, but for the first: most are alone."""
        first: dict[str, int] = {}
        groups: dict[str, list[int]] = {}
        for at, basis in enumerate(self._basis):
            if first.setdefault(basis, at) != at:
                groups.setdefault(basis, [first[basis]]).append(at)
        del first
        return {at: nth for group in groups.values() for nth, at in enumerate(sorted(group, key=self._order))}

    def _shared(self) -> set[tuple[str, str]]:
        """What several findings bear. Looked for name by name: a table of all would not fit beside a large document."""
        shared: set[tuple[str, str]] = set()
        for portion in range(PORTIONS):
            borne: set[tuple[str, str]] = set()
            for finding in self._findings:
                own = {pair for pair in finding.fingerprints if hash(pair[0]) % PORTIONS == portion}
                shared |= own & borne
                borne |= own
        return shared

    def _order(self, at: int) -> tuple[object, ...]:
        finding = self._findings[at]
        return tuple(map(_place, finding.files)), finding.title, finding.body, sorted(finding.fingerprints)

    def _told(self) -> list[Note]:
        told = [Note(f"{text}: {_named(lines)}.", tuple(lines)) for text, lines in self._warnings.items()]
        for reason, times in sorted(self._more_left_out.items()):
            told.append(Note(f"{times} more entries are left out and not listed: {reason}."))
        words: dict[str, list[int]] = {}
        silent: list[int] = []
        for finding in self._findings:
            if finding.severity is None:
                lines = words.setdefault(finding.severity_as_written, []) if finding.severity_as_written else silent
                lines.append(finding.line_start)
        for word, lines in list(words.items())[:MAX_WARNINGS]:
            text = f'"{word}" is no known severity and counts as not stated: {_named(lines)}.'
            told.append(Note(text, tuple(lines[:MAX_NOTED_LINES])))
        if silent:
            text = (
                f"No severity is stated for {len(silent)} finding{'' if len(silent) == 1 else 's'}: {_named(silent)}."
            )
            told.append(Note(text, tuple(silent[:MAX_NOTED_LINES])))
        return told


def fingerprint(name: str, value: str) -> tuple[str, str]:
    """A fingerprint as it is kept: a long value by its digest."""
    return sys.intern(clipped(name, 100)), value if len(value) <= 200 else f"sha256:{_digest(value)}"


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:32]


def _path(place: str) -> str:
    return _place(place)[0]


def _place(place: str) -> tuple[str, int]:
    """The path and the first line of `path:3-5`."""
    path, _, lines = place.rpartition(":")
    first = lines.partition("-")[0]
    return (path, int(first)) if path and first.isascii() and first.isdigit() and len(first) < 10 else (place, 0)


def _named(lines: Sequence[int]) -> str:
    named = ", ".join(str(line) for line in lines[:NAMED_LINES])
    return f"line{'' if len(lines) == 1 else 's'} {named}{', ...' if len(lines) > NAMED_LINES else ''}"
