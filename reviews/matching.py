"""Which item of a document is which known finding of its series.

Fingerprints decide, the surest first: the ticket key, what a tool knows it by,
the title in its file, the code that it names, the title alone, then the same
file with nearly the same title. A reference such as H1 is numbered anew in
each version, so it identifies nothing. One item is one finding; where it may
be more than one, that is a doubt, for a person. No database here, and nothing
quadratic: items meet only what shares a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from reviews.fingerprints import (
    FILES_COUNTED,
    KEY,
    PLACE,
    REGION,
    TITLE,
    Print,
    bases,
    code_prints,
    identity,
    key_of,
    path_of,
    places_of,
    prints_of,
    titles_of,
    tool_prints,
    usable,
    wanted_of,
)
from reviews.importing.model import ParsedFinding
from reviews.importing.similarity import normal
from reviews.models import FindingState
from reviews.pairing import COMPARED, Board, Doubt, Known, Match, Name, Names, Nearest, likeness

__all__ = [
    "Code",
    "Doubt",
    "Known",
    "Match",
    "Matches",
    "Print",
    "identity",
    "key_of",
    "match",
    "path_of",
    "prints_of",
    "usable",
    "wanted_of",
]

# Passes over the names: each pair that is found may make another one plain.
PASSES: Final = 3
# Of what names no rule, any may be the one.
ANY: Final = "*"


class Matches(NamedTuple):
    """By item number: the finding that it is, or those that it may be."""

    found: dict[int, Match]
    doubts: dict[int, Doubt]


class Code(NamedTuple):
    """What is known of the code: by item number the digests of the regions that it names.

    ``gone``: findings whose files are not in the tree any more, so that their
    code may stand in another file now.
    """

    regions: Mapping[int, Sequence[str]] = {}
    gone: Collection[int] = frozenset()


def match(
    items: Sequence[ParsedFinding], known: Sequence[Known], former: Mapping[int, int], code: Code | None = None
) -> Matches:
    """Which item is which finding. ``former``: what an earlier reading of this very document made, by item number.

    What was taken back is looked at only for items that nothing else explains.
    """
    code = code or Code()
    live = [one for one in known if one.state != FindingState.WITHDRAWN]
    board = Board(items, live)
    for _ in range(PASSES):
        before = len(board.left)
        _climb(board, live, code)
        if not board.doubts or len(board.left) == before:
            break
    board.close()
    _bring_back(board, [one for one in known if one.state == FindingState.WITHDRAWN], former)
    return Matches(board.found, board.doubts)


def _climb(board: Board, live: Sequence[Known], code: Code) -> None:
    """The ladder. Each name is looked at where no surer one has decided."""
    free = [one for one in live if one.pk in board.free]
    by_print = _by_print(free)
    board.take("key", _keys, by_print, loose=True)
    board.take("tool", _tools, by_print, loose=True)
    board.take("titled", _titled_in_file, _by_title_and_file(free))
    if code.regions:
        board.take("region", _regions(code.regions), _by_region(free, code.gone), loose=True)
    board.take("title", _titles, by_print)
    _take_places(board, free)


def _bring_back(board: Board, gone: Sequence[Known], former: Mapping[int, int]) -> None:
    """What was withdrawn with its import waits for nobody: the first that fits is as good as any other."""
    if not gone:
        return
    # What a doubted item led to before waits for the choice.
    waiting = {pk for n, pk in former.items() if n in board.doubts}
    withdrawn = {one.pk: one for one in gone if one.pk not in waiting}
    board.free = dict(withdrawn)
    for n, pk in former.items():
        if pk in withdrawn and n not in board.doubts:
            board.pair(n, withdrawn[pk], "former")
    indexes: list[tuple[str, Names, dict[Name, list[Known]]]] = [
        ("key", _keys, _by_print(gone)),
        ("tool", _tools, _by_print(gone)),
        ("titled", _titled_in_file, _by_title_and_file(gone)),
        ("title", _titles, _by_print(gone)),
    ]
    for how, names, index in indexes:
        queues = {name: iter(some) for name, some in index.items()}
        for n, item in list(board.left.items()):
            if n not in board.doubts:
                _first(board, n, item, how, names, queues)


def _first(
    board: Board, n: int, item: ParsedFinding, how: str, names: Names, queues: dict[Name, Iterator[Known]]
) -> None:
    """The first free finding of its names; what is taken stays taken, so each leaves its queue once."""
    for name in names(n, item):
        for one in queues.get(name, iter(())):
            if one.pk in board.free:
                board.pair(n, one, how)
                return


# Names --------------------------------------------------------------------------


def _keys(n: int, item: ParsedFinding) -> list[Name]:
    return [Print(KEY, 1, key_of(item))] if key_of(item) else []


def _tools(n: int, item: ParsedFinding) -> list[Name]:
    return list(tool_prints(item.fingerprints))


def _titles(n: int, item: ParsedFinding) -> list[Name]:
    return list(titles_of(item.title))


def _titled_in_file(n: int, item: ParsedFinding) -> Iterator[Name]:
    places = [print_.value for print_ in places_of(item.files)]
    for print_ in titles_of(item.title):
        yield from ((str(print_.version), print_.value, place) for place in places)


def _regions(regions: Mapping[int, Sequence[str]]) -> Names:
    """The code in a file of the same name; and the code alone, for what stood in a file that is gone.

    Two rules of a tool that meet in one place are two problems.
    """

    def names(n: int, item: ParsedFinding) -> Iterator[Name]:
        for print_ in code_prints(regions.get(n, ())):
            for rule in [item.rule, ""] if item.rule else [ANY]:
                yield from (("code", print_.value, rule, base) for base in dict.fromkeys(bases(item.files)))
                yield ("moved", print_.value, rule)

    return names


def _by_region(known: Sequence[Known], gone: Collection[int]) -> dict[Name, list[Known]]:
    index: dict[Name, list[Known]] = {}
    for one in known:
        for print_ in one.prints:
            if print_.algorithm == REGION:
                for rule in (one.rule, ANY):
                    for base in dict.fromkeys(bases(one.files)):
                        index.setdefault(("code", print_.value, rule, base), []).append(one)
                    if one.pk in gone:
                        index.setdefault(("moved", print_.value, rule), []).append(one)
    return index


def _by_print(known: Sequence[Known]) -> dict[Name, list[Known]]:
    index: dict[Name, list[Known]] = {}
    for one in known:
        for print_ in one.prints:
            index.setdefault(print_, []).append(one)
    return index


def _by_title_and_file(known: Sequence[Known]) -> dict[Name, list[Known]]:
    index: dict[Name, list[Known]] = {}
    for one in known:
        places = [print_.value for print_ in one.prints if print_.algorithm == PLACE]
        for print_ in one.prints:
            if print_.algorithm == TITLE:
                for place in places:
                    index.setdefault((str(print_.version), print_.value, place), []).append(one)
    return index


# The same file and nearly the same title --------------------------------------------


def _take_places(board: Board, known: Sequence[Known]) -> None:
    left = [one for one in known if one.pk in board.free and one.pk not in board.reserved]
    if not left or not board.left:
        return
    free = _Places(left)
    near, fitting = Nearest(), dict[int, list[Known]]()
    for n, item in board.left.items():
        if n in board.doubts:
            continue
        for one in free.candidates(item):
            found = likeness(item, one) if _same_file(item, one) else 0.0
            near.add(n, one, found)
    for _, n, one in near.pairs:
        fitting.setdefault(n, []).append(one)
    for n, one in near.plain():
        board.pair(n, one, "place")
    for n, some in fitting.items():
        if n in board.left:
            board.doubt(n, [one for one in some if one.pk in board.free], "place")


class _Places:
    """Findings by file, and within a file by word."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.by_word: dict[tuple[str, str], list[Known]] = {}
        for one in known:
            for place in dict.fromkeys(print_.value for print_ in one.prints if print_.algorithm == PLACE):
                for word in set(normal(one.title).split()):
                    self.by_word.setdefault((place, word), []).append(one)

    def candidates(self, item: ParsedFinding) -> list[Known]:
        places, words = [print_.value for print_ in places_of(item.files)], set(normal(item.title).split())
        shared = [
            self.by_word[place, word] for place in places for word in sorted(words) if (place, word) in self.by_word
        ]
        found: dict[int, Known] = {}
        for findings in sorted(shared, key=len):
            for one in findings[:COMPARED]:
                found[one.pk] = one
            if len(found) >= COMPARED:
                break
        return list(found.values())[:COMPARED]


def _same_file(item: ParsedFinding, known: Known) -> bool:
    """Whether a path of the one ends as a path of the other: ``handler.go`` is ``ws/handler.go``."""
    theirs = {path_of(place) for place in known.files}
    for place in item.files[:FILES_COUNTED]:
        path = path_of(place)
        if any(path == other or path.endswith(f"/{other}") or other.endswith(f"/{path}") for other in theirs):
            return True
    return not theirs
