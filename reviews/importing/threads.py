"""Comments on a patch, each under the place it was made at: `src/a.py:12` alone on a line, and then what was said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from reviews.importing.blocks import Block, Piece
from reviews.importing.vocabulary import severity_of

MIN_THREADS = 2
MAX_ALONE = 200

_PLACE_ALONE = re.compile(
    r"^(?:(?:in|on|at|file|datei|fichier|file:|@@?)\s+)?[*_]{0,2}`?(?P<path>(?:[\w@.+~\[\]-]{1,60}/){0,16}[\w@.+-]{1,60}\.[A-Za-z]\w{0,9})?`?"
    r"[*_]{0,2}\s?[,:#(]{0,2}\s?(?:(?:around|at|on|near)\s)?(?:lines?|L|zeilen?|lignes?|líneas?|linhas?|righe|riga|строк\w{0,2})?\s?`?"
    r"(?P<lines>L?\d{1,6}(?:\s?[-–]\s?L?\d{1,6})?(?:,\s?\d{1,6}(?:-\d{1,6})?){0,8})\)?`?[*_]{0,2}\s?:?(?:[*_]{2})?$",
    re.IGNORECASE,
)
_LINES_FIRST = re.compile(r"^`(?P<lines>\d{1,6}(?:[-–]\d{1,6})?)`\s?:\s+(?=\S)")
_CHIP = re.compile(r"^(?:_[^_\n]{2,60}_|\[[^\]\n]{2,40}\])(?:\s*\|\s*(?:_[^_\n]{2,60}_|\[[^\]\n]{2,40}\])){0,4}$")


def threads(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with each place that stands alone, and what follows it, as one item."""
    alone = [_alone(piece) for piece in pieces]
    if sum(1 for match in alone if match is not None) < MIN_THREADS:
        return list(pieces)
    result: list[Piece] = []
    at = 0
    while at < len(pieces):
        match = alone[at]
        taken = _thread(pieces, at, match) if match is not None else None
        if taken is None:
            result.append(pieces[at])
            at += 1
            continue
        item, used = taken
        at += used
        # What follows, up to the next place or heading, belongs to the comment.
        while at < len(pieces) and alone[at] is None and _goes_on(pieces[at]):
            more = pieces[at]
            assert isinstance(more, Block)
            item = replace(item, end=more.end, children=(*item.children, more))
            at += 1
        result.append(item)
    return result


def _alone(piece: Piece) -> re.Match[str] | None:
    if not isinstance(piece, Block) or piece.kind != "paragraph":
        return None
    first = piece.text.split("\n", 1)[0].strip()
    if len(first) > MAX_ALONE:
        return None
    match = _PLACE_ALONE.match(first)
    if match is not None and (match["path"] or first.startswith(("`", "L", "l"))):
        return match
    return _LINES_FIRST.match(first)


def _thread(pieces: Sequence[Piece], at: int, match: re.Match[str]) -> tuple[Block, int] | None:
    place = pieces[at]
    assert isinstance(place, Block)
    first, _, rest = place.text.partition("\n")
    if match.re is _LINES_FIRST:
        rest = first.strip()[match.end() :] + ("\n" + rest if rest else "")
    used, said, chips = 1, rest.strip(), ""
    start = place.start
    while not said or _CHIP.match(said.split("\n", 1)[0]):
        if said:
            chips, _, said = said.partition("\n")
            continue
        following = pieces[at + used] if at + used < len(pieces) else None
        if not isinstance(following, Block) or following.kind != "paragraph" or _alone(following) is not None:
            return None
        said, used = following.text, used + 1
    last = pieces[at + used - 1]
    assert isinstance(last, Block)
    path = match["path"] if "path" in match.re.groupindex else None
    lines = match["lines"].replace(" ", "")
    lead = f"{path}:{lines} - " if path else f"line {lines}: "
    rated = next((chip for chip in re.split(r"\s*\|\s*", chips)[::-1] if severity_of(chip)), "")
    tag = f"[{re.sub(r'^[^A-Za-zА-я]+|[^A-Za-zА-я]+$', '', rated)}] " if rated else ""
    return Block("item", start, last.end, f"{lead}{tag}{said}", record=True), used


def _goes_on(piece: Piece) -> bool:
    return isinstance(piece, Block) and piece.kind in ("paragraph", "fence", "table")
