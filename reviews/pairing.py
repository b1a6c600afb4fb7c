"""Items and findings that share a name, paired where it is plain which is which; what is not is left as a doubt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

from reviews.fingerprints import FILES_COUNTED, PLACE_CHARS, TITLE_CHARS, Print, path_of
from reviews.importing.model import ParsedFinding
from reviews.importing.similarity import SAME, alike, normal
from reviews.models import FindingState

# Of a doubt, at most so many findings are offered; and titles compared with one item's.
OFFERED: Final = 12
COMPARED: Final = 12
CLAIMED: Final = {"fixed": FindingState.FIXED, "rejected": FindingState.REJECTED}
Name = tuple[str, ...] | Print
Names = Callable[[int, ParsedFinding], Iterable[Name]]


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
    rule: str = ""
    merged_into: int | None = None
    answer: str = ""
    prints: list[Print] = field(default_factory=list)

    @property
    def root(self) -> int:
        """The finding that goes on, where this one was merged into it."""
        return self.merged_into or self.pk if self.state == FindingState.MERGED else self.pk


class Match(NamedTuple):
    known: Known
    how: str


class Doubt(NamedTuple):
    """An item that may be each of these findings, or a new one: a person chooses."""

    candidates: list[Known]
    how: str


class Board:
    """Items that wait for their finding, and those that have it; ``free`` are the findings that no item has."""

    def __init__(self, items: Sequence[ParsedFinding], known: Iterable[Known]) -> None:
        self.left = dict(enumerate(items))
        self.free = {one.pk: one for one in known}
        self.found: dict[int, Match] = {}
        self.doubts: dict[int, Doubt] = {}
        # by item, the findings that its doubt is about: no weaker name leads it to another
        self.within: dict[int, set[int]] = {}
        self.reserved: set[int] = set()

    def pair(self, n: int, known: Known, how: str) -> None:
        if n in self.left and self.may(n, known):
            del self.free[known.pk], self.left[n]
            self.found[n] = Match(known, how)
            self.doubts.pop(n, None)

    def doubt(self, n: int, candidates: Sequence[Known], how: str) -> None:
        """The first doubt stays: it is the surest name's."""
        if n not in self.doubts and candidates:
            self.doubts[n] = Doubt(list(candidates[:OFFERED]), how)
            self.within[n] = {one.pk for one in candidates}
            self.reserved |= self.within[n]

    def may(self, n: int, known: Known, *, loose: bool = False) -> bool:
        """Whether the item may get the finding. A loose name takes nothing of which another item is in doubt."""
        if known.pk not in self.free:
            return False
        within = self.within.get(n)
        return known.pk in within if within is not None else not (loose and known.pk in self.reserved)

    def close(self) -> None:
        """Doubts are about what is still free; one that lost its findings to others is none."""
        for n, doubt in list(self.doubts.items()):
            free = [one for one in doubt.candidates if one.pk in self.free]
            if free:
                self.doubts[n] = doubt._replace(candidates=free)
            else:
                del self.doubts[n]

    def take(self, how: str, names: Names, index: Mapping[Name, Sequence[Known]], *, loose: bool = False) -> None:
        """Pair what shares a name. ``loose``: the name says little of the words, so nearly the same ones decide."""
        if not index or not self.left:
            return
        shared = _Shared(self, names, index, loose)
        for n, one in shared.alone():
            self.pair(n, one, how)
        for items, known in shared.groups():
            self._pair_same(items, known, how, _words_and_places)
            self._pair_same(items, known, how, _words)
            if loose:
                self._pair_alike(items, known, how)
            self._end(items, known, how, shared)

    def _pair_same(
        self, items: dict[int, ParsedFinding], known: dict[int, Known], how: str, sign: Callable[[Any], Hashable]
    ) -> None:
        """Those that are the same to us, where there are as many of the one as of the other."""
        ours, theirs = _by(items.items(), sign), _by(known.items(), sign)
        for name, some in ours.items():
            others = theirs.get(name, [])
            if len(some) == len(others):
                for n, pk in in_order(some, others):
                    self.pair(n, known[pk], how)
        _drop(items, known, self)

    def _pair_alike(self, items: dict[int, ParsedFinding], known: dict[int, Known], how: str) -> None:
        """Where each of the two is nearest to the other."""
        if len(items) > COMPARED or len(known) > COMPARED:
            return
        near = Nearest()
        for n, item in items.items():
            for one in known.values():
                near.add(n, one, likeness(item, one))
        for n, one in near.plain():
            self.pair(n, one, how)
        _drop(items, known, self)

    def _end(self, items: dict[int, ParsedFinding], known: dict[int, Known], how: str, shared: _Shared) -> None:
        if not items or not known:
            return
        # What was merged and what it went into are one and the same answer.
        if len(items) == 1 and len({one.root for one in known.values()}) == 1:
            n, first = next(iter(items)), next(iter(known.values()))
            self.pair(n, known.get(first.root, first), how)
            return
        for n, item in items.items():
            self.doubt(n, shared.with_item(n, item, known), how)


class _Shared:
    """What items and findings are bound to each other by names that they share."""

    def __init__(self, board: Board, names: Names, index: Mapping[Name, Sequence[Known]], loose: bool) -> None:
        self.board, self.names, self.index, self.loose = board, names, index, loose

    def alone(self) -> list[tuple[int, Known]]:
        """One item and one finding that share names with nobody else: most of them."""
        mine, theirs = dict[int, Known](), dict[int, set[int]]()
        crowded, contested = set[int](), set[int]()
        for n, item in self.board.left.items():
            for name in self.names(n, item):
                some = self.index.get(name, ())
                if len(some) > 1:
                    crowded.add(n)
                    # Each name says it once.
                    if some[0].pk not in contested or some[-1].pk not in contested:
                        contested.update(one.pk for one in some)
                elif some:
                    theirs.setdefault(some[0].pk, set()).add(n)
                    if mine.setdefault(n, some[0]) is not some[0]:
                        crowded.add(n)
        return [
            (n, one)
            for n, one in mine.items()
            if n not in crowded
            and one.pk not in contested
            and len(theirs[one.pk]) == 1
            and self.board.may(n, one, loose=self.loose)
        ]

    def groups(self) -> Iterator[tuple[dict[int, ParsedFinding], dict[int, Known]]]:
        """Each name is walked once: many items of one name cost no more than few."""
        nodes = _Nodes()
        for n, item in self.board.left.items():
            for name in self.names(n, item):
                if any(self.board.may(n, one, loose=self.loose) for one in self.index.get(name, ())):
                    nodes.join(("item", n), ("name", name))
        for name in nodes.names():
            for one in self.index[name]:
                if one.pk in self.board.free:
                    nodes.join(("known", one.pk), ("name", name))
        for members in nodes.groups():
            items = {n: self.board.left[n] for kind, n in members if kind == "item"}
            known = {pk: self.board.free[pk] for kind, pk in members if kind == "known"}
            yield dict(sorted(items.items())), dict(sorted(known.items()))

    def with_item(self, n: int, item: ParsedFinding, known: Mapping[int, Known]) -> list[Known]:
        """The nearest first: as many as are offered may be fewer than there are."""
        found = {
            one.pk: one
            for name in self.names(n, item)
            for one in self.index.get(name, ())
            if one.pk in known and self.board.may(n, one, loose=self.loose)
        }
        titles = normal(item.title)
        return sorted(found.values(), key=lambda one: (_places(item) != _places(one), normal(one.title) != titles))


class _Nodes:
    """Union and find over items, findings and names, in the order in which they came."""

    def __init__(self) -> None:
        self.above: dict[tuple[str, Any], tuple[str, Any]] = {}

    def _top(self, node: tuple[str, Any]) -> tuple[str, Any]:
        self.above.setdefault(node, node)
        while self.above[node] != node:
            self.above[node] = self.above[self.above[node]]
            node = self.above[node]
        return node

    def join(self, one: tuple[str, Any], other: tuple[str, Any]) -> None:
        self.above[self._top(one)] = self._top(other)

    def names(self) -> list[Any]:
        return [value for kind, value in self.above if kind == "name"]

    def groups(self) -> list[list[tuple[str, Any]]]:
        found: dict[tuple[str, Any], list[tuple[str, Any]]] = {}
        for node in self.above:
            found.setdefault(self._top(node), []).append(node)
        return list(found.values())


class Nearest:
    """Pairs by likeness; plain are those in which each is nearest to the other, and nothing else is as near."""

    def __init__(self) -> None:
        self.pairs: list[tuple[float, int, Known]] = []

    def add(self, n: int, known: Known, near: float) -> None:
        if near >= SAME:
            self.pairs.append((near, n, known))

    def plain(self) -> list[tuple[int, Known]]:
        """The surest first; what is as near to two is left, and so are those two."""
        found: list[tuple[int, Known]] = []
        items, known = set[int](), set[int]()
        ordered = sorted(self.pairs, key=lambda pair: (-pair[0], pair[1], pair[2].pk))
        for _, same in groupby(ordered, key=lambda pair: pair[0]):
            level = [(n, one) for _, n, one in same if n not in items and one.pk not in known]
            of_item, of_known = _by(level, lambda pair: pair[0]), _by(level, lambda pair: pair[1].pk)
            for n, one in level:
                if len(of_item[n]) == 1 and len(of_known[one.pk]) == 1:
                    found.append((n, one))
            items |= {n for n, _ in level}
            known |= {one.pk for _, one in level}
        return found


def _drop(items: dict[int, ParsedFinding], known: dict[int, Known], board: Board) -> None:
    for n in [n for n in items if n not in board.left]:
        del items[n]
    for pk in [pk for pk in known if pk not in board.free]:
        del known[pk]


def likeness(item: ParsedFinding, known: Known) -> float:
    """0 to 1; titles that differ in a number are about different things."""
    ours, theirs = normal(item.title), normal(known.title)
    return alike(ours, theirs) if numbers(ours) == numbers(theirs) else 0.0


def numbers(title: str) -> list[str]:
    return sorted(word for word in title.split() if any(letter.isdigit() for letter in word))


# Those that are the same to us -----------------------------------------------------


def in_order(
    items: Sequence[tuple[int, ParsedFinding]], known: Sequence[tuple[int, Known]]
) -> Iterator[tuple[int, int]]:
    """As many findings as items, all of one name: who has more in common first, then as they come."""
    ours, theirs = list(items), list(known)
    for level in (
        ("places", "reference", "state", "title"),
        ("reference", "state"),
        ("places", "state"),
        ("state",),
        (),
    ):
        waiting = {name: deque(some) for name, some in _by(theirs, _told(level)).items()}
        rest = []
        for n, item in ours:
            others = waiting.get(_told(level)((n, item)))
            if others:
                yield n, others.popleft()[0]
            else:
                rest.append((n, item))
        ours = rest
        theirs = [pair for some in waiting.values() for pair in some]


def _told(level: Sequence[str]) -> Callable[[tuple[int, Any]], Hashable]:
    return lambda pair: tuple(_ABOUT[name](pair[1]) for name in level)


def _reference(one: Any) -> str:
    return str(one.reference if isinstance(one, Known) else (one.ticket_key or one.ref or "")[:40])


def _state(one: Any) -> str:
    return str(one.state if isinstance(one, Known) else CLAIMED.get(one.status or "", FindingState.OPEN))


_ABOUT: Final[dict[str, Callable[[Any], Hashable]]] = {
    "places": lambda one: tuple(place[:PLACE_CHARS] for place in one.files[:FILES_COUNTED]),
    "title": lambda one: one.title[:TITLE_CHARS],
    "reference": _reference,
    "state": _state,
}


_LEVELS: Final = (
    ("places", "reference", "state", "title"),
    ("reference", "state"),
    ("places", "state"),
    ("state",),
    (),
)


def _words(pair: tuple[int, Any]) -> Hashable:
    return normal(pair[1].title[:TITLE_CHARS])


def _places(one: Any) -> frozenset[str]:
    return frozenset(path_of(place[:PLACE_CHARS]) for place in one.files[:FILES_COUNTED])


def _words_and_places(pair: tuple[int, Any]) -> Hashable:
    return _words(pair), _places(pair[1])


def _by(rows: Iterable[Any], name: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return found
