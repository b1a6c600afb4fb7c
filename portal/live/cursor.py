"""Where a reader is in a stream. Pure: no database, no clock, no loop.

A cursor is ``epoch:number`` and says "I have everything up to and including
this number". The number is believed only within its epoch, at or above the
floor (what is below was pruned) and at or below the head.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# The epoch of a stream that has no row yet: its reader has seen nothing, and there was nothing.
NEW: Final = "-"
_SHAPE: Final = re.compile(r"(-|[0-9A-Za-z][0-9A-Za-z_.-]{0,39}):(0|[1-9][0-9]{0,18})", re.ASCII)
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.number}"


# What a malformed cursor becomes: no stream has this epoch, so it is answered by a resync.
NOWHERE: Final = Cursor("", 0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream is: the last number, and the last one that was pruned."""

    epoch: str
    head: int
    floor: int = 0

    @property
    def now(self) -> Cursor:
        return Cursor(self.epoch, self.head)


NO_STREAM: Final = Position(NEW, 0)


def parse(text: object) -> Cursor:
    """A cursor as a client wrote it; ``NOWHERE`` for anything else."""
    found = _SHAPE.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[2]) > _HIGHEST:
        return NOWHERE
    return Cursor(found[1], int(found[2]))


def resumes(have: Cursor, at: Position) -> bool:
    """Whether a reader at ``have`` can be brought to ``at.head`` by rows alone; otherwise it must read all anew."""
    if have.epoch == at.epoch:
        return at.floor <= have.number <= at.head
    return have == NO_STREAM.now and at.floor == 0


def same_life(one: Cursor, other: Cursor) -> bool:
    """Whether the numbers of both count the same events; a stream without a row yet is the beginning of any."""
    return one.epoch == other.epoch or NO_STREAM.now in (one, other)


def gapless(after: int, numbers: Sequence[int]) -> bool:
    """Whether ``numbers`` go on from ``after`` by one.

    Pruning may take rows between reading the position and reading them.
    """
    return all(number == after + step for step, number in enumerate(numbers, start=1))
