"""The levels of headings as an outline: one title at the top, sections below it, wherever the author began to count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reviews.importing.blocks import PSEUDO_HEADING_LEVEL, Block, Heading, Piece
from reviews.importing.spacing import BOLD_ALONE, MAX_PSEUDO_HEADING
from reviews.importing.titles import read_title
from reviews.importing.vocabulary import label_meaning

MIN_COUNTED = 2


def counted_lines(pieces: Sequence[Piece]) -> list[Piece]:
    """Lines in bold that bear a number or a ref as headings: the lines in bold below them are their parts."""
    counted = [_counted(piece) for piece in pieces]
    if sum(counted) < MIN_COUNTED:
        return list(pieces)
    result: list[Piece] = []
    level = 1
    for piece, counts in zip(pieces, counted, strict=True):
        if counts and isinstance(piece, Block):
            first, _, rest = piece.text.partition("\n")
            title = first.strip().strip("*_: ")
            result.append(Heading(title, min(level + 1, PSEUDO_HEADING_LEVEL - 1), piece.start, piece.start))
            if rest:
                result.append(replace(piece, start=piece.start + 1, text=rest))
            continue
        if isinstance(piece, Heading) and 0 < piece.level < PSEUDO_HEADING_LEVEL:
            level = piece.level
        result.append(piece)
    return result


def _counted(piece: Piece) -> bool:
    if not isinstance(piece, Block) or piece.kind != "paragraph" or piece.quoted:
        return False
    first = piece.text.split("\n", 1)[0]
    if len(first) > MAX_PSEUDO_HEADING or not BOLD_ALONE.match(first) or label_meaning(first):
        return False
    parts = read_title(first.strip().strip("*_: "))
    return parts.number is not None or parts.ref is not None


def levelled(pieces: Sequence[Piece]) -> list[Piece]:
    """The first heading at level one where it stands alone above all others; else all of them at level two."""
    marked = [piece for piece in pieces if isinstance(piece, Heading) and 0 < piece.level < PSEUDO_HEADING_LEVEL]
    top = min((heading.level for heading in marked), default=1)
    highest = [heading for heading in marked if heading.level == top]
    if not highest:
        return list(pieces)
    title = len(highest) == 1 and marked[0] is highest[0]
    by = (1 if title else 2) - top
    return [_moved(piece, by) for piece in pieces] if by < 0 else list(pieces)


def _moved(piece: Piece, by: int) -> Piece:
    if not isinstance(piece, Heading) or not 0 < piece.level < PSEUDO_HEADING_LEVEL:
        return piece
    return replace(piece, level=piece.level + by)
