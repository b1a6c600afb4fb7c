"""Which item of a document is which known finding of its series.

Fingerprints decide, the surest first: the ticket key, the exact title, then
the same file with nearly the same title. A reference such as H1 is numbered
anew in each version, so it identifies nothing. One item is one finding. No
database here, and nothing quadratic: items meet only what shares a value.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reviews.importing.model import ParsedFinding
from reviews.importing.similarity import SAME, alike, normal
from reviews.models import FindingState, Fingerprint

KEY_CHARS: Final = 24
# Titles compared with one item's, at most; those that share its rarest words come first.
COMPARED: Final = 12
FILES_COUNTED: Final = 20
_KEY, _TITLE, _PLACE = Fingerprint.Algorithm.KEY, Fingerprint.Algorithm.TITLE, Fingerprint.Algorithm.PLACE
_LINES: Final = re.compile(r"(?:#L|:|\s).*$", re.DOTALL)


class Print(NamedTuple):
    """A fingerprint: the algorithm, its version, the value."""

    algorithm: str
    version: int
    value: str


@dataclass(slots=True, eq=False)
class Known:
    """What matching needs of a finding."""

    pk: int
    identity: str
    state: str
    title: str
    severity: str
    category: str
    reference: str
    ticket_key: str
    files: list[str]
    ticket_id: int | None
    prints: list[Print] = field(default_factory=list)


class Match(NamedTuple):
    known: Known
    how: str


def usable(key: str | None) -> str:
    """A ticket key that a document gives, where a ticket could have it."""
    return key if key and len(key) <= KEY_CHARS else ""


def key_of(item: ParsedFinding) -> str:
    return usable(item.ticket_key)


def identity(item: ParsedFinding) -> str:
    """The name that a finding gets in its series, and keeps: its key, else the digest of its title."""
    return f"key:{key_of(item)}" if key_of(item) else f"title:{_spaced(item.title)}"


def prints_of(title: str, files: Sequence[str], key: str) -> list[Print]:
    """The fingerprints of a finding, as they are stored."""
    found = [Print(_KEY, 1, key)] if key else []
    found.append(Print(_TITLE, 2, _words(title)))
    return found + places_of(files)


def places_of(files: Sequence[str]) -> list[Print]:
    values = dict.fromkeys(_digest(base) for base in bases(files[:FILES_COUNTED]))
    return [Print(_PLACE, 1, value) for value in values]


def wanted_of(item: ParsedFinding) -> list[Print]:
    """The fingerprints by which an item may be known: those of older algorithms too."""
    return [*prints_of(item.title, item.files, key_of(item)), Print(_TITLE, 1, _spaced(item.title))]


def path_of(place: str) -> str:
    """The path of a place such as ``./app/models.py:31-32``."""
    return _LINES.sub("", place.strip().removeprefix("./"))


def bases(files: Iterable[str]) -> list[str]:
    """File names without folders: documents write a path more or less fully."""
    return [base for base in (path_of(place).rpartition("/")[2] for place in files) if base]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _spaced(title: str) -> str:
    """Version 1 of the title: any case, any spaces."""
    return _digest(" ".join(title.lower().split()))


def _words(title: str) -> str:
    """Version 2 of the title: markup and punctuation do not count either."""
    return _digest(normal(title) or " ".join(title.lower().split()))


def match(items: Sequence[ParsedFinding], known: Sequence[Known], former: Mapping[int, int]) -> dict[int, Match]:
    """Item number to finding. ``former``: what an earlier reading of this very document made, by item number.

    What was taken back is looked at only for items that nothing else explains.
    """
    table = _Table(items)
    live = [one for one in known if one.state != FindingState.WITHDRAWN]
    gone = [one for one in known if one.state == FindingState.WITHDRAWN]
    table.take("key", _names(_KEY), _by_print(live))
    table.take("title", _titled_in_file, _by_title_and_file(live))
    table.take("title", _names(_TITLE), _by_print(live))
    table.take_places(live)
    withdrawn = {one.pk: one for one in gone}
    for n, pk in former.items():
        if n in table.left and pk in withdrawn:
            table.pair(n, withdrawn[pk], "former")
    table.take("key", _names(_KEY), _by_print(gone))
    table.take("title", _titled_in_file, _by_title_and_file(gone))
    table.take("title", _names(_TITLE), _by_print(gone))
    return table.found


Name = tuple[str, ...] | Print


class _Table:
    """Items that wait for their finding, and those that have it."""

    def __init__(self, items: Sequence[ParsedFinding]) -> None:
        self.left = dict(enumerate(items))
        self.found: dict[int, Match] = {}
        self.taken: set[int] = set()

    def pair(self, n: int, known: Known, how: str) -> None:
        if known.pk not in self.taken:
            self.taken.add(known.pk)
            self.found[n] = Match(known, how)
            del self.left[n]

    def take(self, how: str, names: Callable[[ParsedFinding], Iterable[Name]], index: dict[Name, deque[Known]]) -> None:
        """Give each item the first free finding that shares a name with it."""
        for n, item in list(self.left.items()):
            for name in names(item):
                waiting = index.get(name)
                # What is taken stays taken: each finding leaves each queue once.
                while waiting and waiting[0].pk in self.taken:
                    waiting.popleft()
                if waiting:
                    self.pair(n, waiting[0], how)
                    break

    def take_places(self, known: Sequence[Known]) -> None:
        free = _Places([one for one in known if one.pk not in self.taken])
        for n, item in list(self.left.items()):
            best = free.nearest(item, self.taken)
            if best is not None:
                self.pair(n, best, "place")


class _Places:
    """Findings by file, and within a file by word."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.by_word: dict[tuple[str, str], list[Known]] = {}
        self.titles = {one.pk: normal(one.title) for one in known}
        for one in known:
            for place in dict.fromkeys(print_.value for print_ in one.prints if print_.algorithm == _PLACE):
                for word in set(self.titles[one.pk].split()):
                    self.by_word.setdefault((place, word), []).append(one)

    def nearest(self, item: ParsedFinding, taken: set[int]) -> Known | None:
        title, best, likeness = normal(item.title), None, SAME
        for one in self._candidates(item, title):
            if one.pk not in taken and _numbers(title) == _numbers(self.titles[one.pk]) and _same_file(item, one):
                found = alike(title, self.titles[one.pk])
                if found > likeness or (best is None and found == likeness):
                    best, likeness = one, found
        return best

    def _candidates(self, item: ParsedFinding, title: str) -> list[Known]:
        places = [print_.value for print_ in places_of(item.files)]
        shared = [
            self.by_word[place, word]
            for place in places
            for word in set(title.split())
            if (place, word) in self.by_word
        ]
        found: dict[int, Known] = {}
        for findings in sorted(shared, key=len):
            for one in findings[:COMPARED]:
                found[one.pk] = one
            if len(found) >= COMPARED:
                break
        return list(found.values())[:COMPARED]


def _numbers(title: str) -> list[str]:
    """Titles that differ in a number are about different things."""
    return sorted(word for word in title.split() if any(letter.isdigit() for letter in word))


def _same_file(item: ParsedFinding, known: Known) -> bool:
    """Whether a path of the one ends as a path of the other: ``handler.go`` is ``ws/handler.go``."""
    theirs = {path_of(place) for place in known.files}
    for place in item.files[:FILES_COUNTED]:
        path = path_of(place)
        if any(path == other or path.endswith(f"/{other}") or other.endswith(f"/{path}") for other in theirs):
            return True
    return not theirs


def _names(algorithm: str) -> Callable[[ParsedFinding], list[Name]]:
    return lambda item: [print_ for print_ in wanted_of(item) if print_.algorithm == algorithm]


def _titled_in_file(item: ParsedFinding) -> Iterator[Name]:
    places = [print_.value for print_ in places_of(item.files)]
    for print_ in wanted_of(item):
        if print_.algorithm == _TITLE:
            yield from ((str(print_.version), print_.value, place) for place in places)


def _by_print(known: Sequence[Known]) -> dict[Name, deque[Known]]:
    index: dict[Name, deque[Known]] = {}
    for one in known:
        for print_ in one.prints:
            index.setdefault(print_, deque()).append(one)
    return index


def _by_title_and_file(known: Sequence[Known]) -> dict[Name, deque[Known]]:
    index: dict[Name, deque[Known]] = {}
    for one in known:
        places = [print_.value for print_ in one.prints if print_.algorithm == _PLACE]
        for print_ in one.prints:
            if print_.algorithm == _TITLE:
                for place in places:
                    index.setdefault((str(print_.version), print_.value, place), deque()).append(one)
    return index
