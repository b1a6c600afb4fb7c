"""JSON as spans of its own text: what is read is decoded piece by piece, and every piece knows its lines.

A document of 50 MB is never held as objects. One scan finds where the large parts end, one look decodes each small
part and forgets it, so that what is broken is refused before anything is read; then each form takes what it needs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, NoReturn

from reviews.importing.forms.source import Source
from reviews.importing.model import BadInput, Note

MAX_DEPTH: Final = 100
# Objects of Python take many times the room of their text: nothing larger is decoded at once.
MAX_PIECE: Final = 1_000_000
REMEMBERED_BYTES: Final = 1_024
REMEMBERED_DEPTH: Final = 8
MAX_KEYS: Final = 10_000
MAX_ROOTS: Final = 200_000
MAX_PARTS: Final = 3_000_000
NAMED: Final = 20
KNOWN_BY: Final = 50

_OPENS: Final = re.compile(rb'\s*(?:\{\s*(?:["}]|$)|(?:\[\s*){1,8}(?:\{|\]))')
_SPACE: Final = re.compile(rb"[ \t\n\r]*+")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,\]}\[{\":]++")
_TO_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_TOKEN: Final = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")(\s*+:)?|[\[\]{}]', re.DOTALL)
_NO_NUMBER: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(NaN|-?Infinity)', re.DOTALL)
_CLOSES: Final = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE: Final = ord('"')


class Span(NamedTuple):
    """A value of the document: the bytes from `start` up to `end`."""

    start: int
    end: int


class _Twice(Exception):
    """Some object of the piece names a key twice."""


class _NotANumber(Exception):
    """NaN, Infinity, or a number that no machine holds."""


def looks_like_json(opening: bytes) -> bool:
    """Whether a document that begins so is JSON, whole or broken; `[1] text` and `[x] text` are not."""
    return bool(_OPENS.match(opening))


class JsonDocument:
    """The values that a document consists of: mostly one; pages printed after each other are several."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = source.raw
        self.notes: list[Note] = []
        self._ends: dict[int, int] = {}
        self._repeats: Counter[str] = Counter()
        self._repeat_lines: list[int] = []
        self._rest: int | None = None
        parts = self.data.count(b"{") + self.data.count(b"[")
        if parts > MAX_PARTS:
            raise BadInput("too_many_parts", f"The JSON has {parts} objects and lists; the limit is {MAX_PARTS}.")
        self.roots: tuple[Span, ...] = tuple(self._roots())

    def checked(self) -> JsonDocument:
        """Decode every part once: BadInput names the line and column of what is broken."""
        for root in self.roots:
            self._check(root)
        if self._repeats:
            names = ", ".join(sorted(self._repeats)[:NAMED])
            lines = tuple(self._repeat_lines[:NAMED])
            self.notes.append(
                Note(
                    f"Keys stand twice in one object, and the last one counts: {names}; lines {_listed(lines)}.", lines
                )
            )
        return self

    def trails_off(self) -> bool:
        """True where words follow the first value: a text that begins with a line of JSON."""
        return self._rest is not None

    def first_entries(self, *names: str) -> list[dict[str, Any]]:
        """The first entries that are objects, by which a form is known."""
        some = (span for span in islice(self.entries(*names), KNOWN_BY))
        loaded = (self.load(span) for span in some if span.end - span.start <= MAX_PIECE)
        return [entry for entry in loaded if isinstance(entry, dict)]

    def is_object(self, span: Span) -> bool:
        return self.data[span.start] == ord("{")

    def is_list(self, span: Span) -> bool:
        return self.data[span.start] == ord("[")

    def members(self, span: Span | None) -> dict[str, Span]:
        """The members of an object, the last of a name; nothing where it is no object."""
        if span is None or not self.is_object(span):
            return {}
        found: dict[str, Span] = {}
        for key, value in self._members(span.start):
            found[key] = value
            if len(found) > MAX_KEYS:
                self._refuse("too_many_keys", f"has more than {MAX_KEYS} names in one object", value.start)
        return found

    def elements(self, span: Span | None) -> Iterator[Span]:
        """The elements of a list; nothing where it is no list."""
        if span is not None and self.is_list(span):
            yield from self._elements(span.start)

    def entries(self, *names: str) -> Iterator[Span]:
        """The elements of the lists that the document is, or of the first list of these names in each object."""
        for root in self.roots:
            members = self.members(root)
            named = next((members[name] for name in names if name in members and self.is_list(members[name])), None)
            yield from self.elements(named or root)

    def load(self, span: Span | None) -> Any:
        """The value as objects; BadInput where it is too large for that."""
        if span is None:
            return None
        if span.end - span.start > MAX_PIECE:
            self._refuse("too_large", f"has a single entry of more than {MAX_PIECE} bytes", span.start)
        return json.loads(str(self.data[span.start : span.end], "utf-8"))

    def lines(self, span: Span) -> tuple[int, int]:
        return self.source.line_at(span.start), self.source.line_at(max(span.end - 1, span.start))

    # ---- the scan ----

    def _roots(self) -> Iterator[Span]:
        at, count = self._space(0), 0
        while at < len(self.data):
            if self.data[at] not in _CLOSES or (count and not _OPENS.match(self.data, at)):
                if self.data[at] in b']},:"':
                    self._broken("nothing more was expected", at)
                self._rest = at
                return
            count += 1
            if count > MAX_ROOTS:
                self._refuse("too_many_entries", f"has more than {MAX_ROOTS} values after each other", at)
            end = self._skip(at)
            yield Span(at, end)
            at = self._space(end)

    def _space(self, at: int) -> int:
        match = _SPACE.match(self.data, at)
        return match.end() if match else at

    def _skip(self, at: int) -> int:
        """The end of the value that begins at `at`."""
        if at in self._ends:
            return self._ends[at]
        if at >= len(self.data):
            self._broken("the document ends where a value was expected", at)
        if self.data[at] in _CLOSES:
            return self._skip_container(at)
        match = (_STRING if self.data[at] == _QUOTE else _SCALAR).match(self.data, at)
        if match is None:
            self._broken("a value was expected", at)
        return match.end()

    def _skip_container(self, at: int) -> int:
        data, open_ones = self.data, []
        while True:
            letter = data[at]
            if letter in _CLOSES:
                open_ones.append(at)
                if len(open_ones) > MAX_DEPTH:
                    self._refuse("too_deep", f"is nested more than {MAX_DEPTH} levels deep", at)
            elif letter == _QUOTE:
                self._broken("a text is not closed", at)
            elif _CLOSES[data[open_ones[-1]]] != letter:
                self._broken(f"{chr(letter)!r} closes what was opened with {chr(data[open_ones[-1]])!r}", at)
            else:
                start = open_ones.pop()
                if at - start > REMEMBERED_BYTES and len(open_ones) < REMEMBERED_DEPTH:
                    self._ends[start] = at + 1
                if not open_ones:
                    return at + 1
            match = _TO_BRACKET.match(data, at + 1)
            at = match.end() if match else len(data)
            if at >= len(data):
                line = self.source.line_at(open_ones[-1])
                self._broken(f"the document ends before what line {line} opens is closed", len(data))

    # ---- one level of a container ----

    def _members(self, at: int) -> Iterator[tuple[str, Span]]:
        at = self._space(at + 1)
        if self._letter(at) == "}":
            return
        while True:
            match = _STRING.match(self.data, at)
            if match is None:
                self._broken("a name in quotes was expected", at)
            key = self._decoded(Span(at, match.end()))
            at = self._space(match.end())
            if self._letter(at) != ":":
                self._broken("a colon was expected", at)
            start = self._space(at + 1)
            end = self._skip(start)
            yield key, Span(start, end)
            at = self._space(end)
            if self._letter(at) == "}":
                return
            at = self._after_comma(at)

    def _elements(self, at: int) -> Iterator[Span]:
        at = self._space(at + 1)
        if self._letter(at) == "]":
            return
        while True:
            end = self._skip(at)
            yield Span(at, end)
            at = self._space(end)
            if self._letter(at) == "]":
                return
            at = self._after_comma(at)

    def _letter(self, at: int) -> str:
        return chr(self.data[at]) if at < len(self.data) else ""

    def _after_comma(self, at: int) -> int:
        if self._letter(at) != ",":
            self._broken("a comma was expected", at)
        return self._space(at + 1)

    # ---- the look at every part ----

    def _check(self, span: Span) -> None:
        waiting = [span]
        while waiting:
            one = waiting.pop()
            if one.end - one.start <= MAX_PIECE:
                self._decoded(one)
            elif self.is_list(one):
                self._check_elements(one)
            elif self.is_object(one):
                seen: set[str] = set()
                for key, value in self._members(one.start):
                    if key in seen:
                        self._repeated(key, value.start)
                    seen.add(key)
                    waiting.append(value)
                    if len(waiting) > MAX_KEYS:
                        self._refuse("too_many_keys", f"has more than {MAX_KEYS} names in one object", value.start)
            else:
                self._refuse("too_large", f"has a single text of more than {MAX_PIECE} bytes", one.start)

    def _check_elements(self, span: Span) -> None:
        """Neighbours are decoded together, as a list of their own."""
        first: Span | None = None
        last = span
        for element in self._elements(span.start):
            if element.end - element.start > MAX_PIECE:
                self._check(element)
                continue
            if first is not None and element.end - first.start > MAX_PIECE // 4:
                self._decoded(Span(first.start, last.end), "[%s]")
                first = None
            first = first or element
            last = element
        if first is not None:
            self._decoded(Span(first.start, last.end), "[%s]")

    def _decoded(self, span: Span, around: str = "%s") -> Any:
        try:
            text = str(self.data[span.start : span.end], "utf-8")
            return _STRICT.decode(around % text if around != "%s" else text)
        except json.JSONDecodeError as error:
            at = max(error.pos - around.index("%"), 0)
            self._broken(_said(error), span.start + len(text[:at].encode()))
        except _Twice:
            self._find_repeats(span)
            return None
        except _NotANumber as error:
            found = next((m.start(1) for m in _NO_NUMBER.finditer(self.data, *span) if m[1]), span.start)
            if error.args[0] in ("NaN", "Infinity", "-Infinity"):
                self._broken(f"{error.args[0]} is no number of JSON", found)
            self._refuse(
                "huge_number", "has a number that is too large to be one", self.data.find(error.args[0], *span)
            )
        except ValueError:
            # Python refuses to read integers of thousands of digits, for that takes quadratic time.
            self._refuse("huge_number", "has a number of thousands of digits", _long_digits(self.data, span))

    def _find_repeats(self, span: Span) -> None:
        names: list[set[bytes]] = [set()]
        for token in _TOKEN.finditer(self.data, *span):
            if token[0] in (b"{", b"["):
                names.append(set())
            elif token[0] in (b"}", b"]"):
                names.pop()
            elif token[2]:
                if token[1] in names[-1]:
                    self._repeated(json.loads(token[1]), token.start())
                names[-1].add(token[1])

    def _repeated(self, key: str, at: int) -> None:
        if len(self._repeats) < NAMED:
            self._repeats[key[:80]] += 1
        if len(self._repeat_lines) < NAMED:
            self._repeat_lines.append(self.source.line_at(at))

    # ---- refusals ----

    def _broken(self, what: str, at: int) -> NoReturn:
        line, column = self.source.line_at(min(at, len(self.data))), self.source.column_at(at)
        raise BadInput("broken_json", f"The JSON is broken at line {line}, column {column}: {what}.")

    def _refuse(self, code: str, what: str, at: int) -> NoReturn:
        raise BadInput(code, f"The JSON {what}: line {self.source.line_at(max(at, 0))}.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _no_constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _finite(written: str) -> float:
    number = float(written)
    if number in (float("inf"), float("-inf")):
        raise _NotANumber(written.encode())
    return number


def _said(error: json.JSONDecodeError) -> str:
    return f"{error.msg[:1].lower()}{error.msg[1:]}".rstrip(".:")


def _long_digits(data: bytes, span: Span) -> int:
    match = re.compile(rb"\d{4000}").search(data, *span)
    return match.start() if match else span.start


def _listed(lines: tuple[int, ...]) -> str:
    return ", ".join(str(line) for line in lines)


_STRICT: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
