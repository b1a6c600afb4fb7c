"""The geometry of small charts: numbers to points, times to bars; templates give them paint and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import quantiles
from typing import Final, NamedTuple

_STEPS: Final = (1, 2, 4, 6, 8)


class Tick(NamedTuple):
    at: float
    label: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Frame:
    """A chart's size, and the margins around what it draws."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    def x(self, n: int, of: int) -> float:
        """The place of the n-th of so many points."""
        return self.left + (self.width - self.left - self.right) * n / max(1, of - 1)

    def y(self, value: float, top: int) -> float:
        """The height of a value, where ``top`` is the highest rule."""
        return self.height - self.bottom - (self.height - self.bottom - self.top) * value / top

    def steps(self, values: Sequence[int], top: int) -> str:
        """A path on which a number holds until the next one: steps, no slopes."""
        path = ""
        for n, value in enumerate(values):
            x, y = self.x(n, len(values)), self.y(value, top)
            path += f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}"
        return path

    def rules(self, top: int) -> list[Tick]:
        """The lines at nothing, the half and the whole."""
        return [Tick(self.y(number, top), f"{number:,}") for number in (0, top // 2, top)]

    def grid(self, rules: Iterable[Tick]) -> str:
        return "".join(f"M{self.left} {rule.at:.1f}H{self.width - self.right}" for rule in rules)

    def dates(self, days: Sequence[date]) -> list[Tick]:
        """The first day, one in the middle, the last."""
        places = ((0, "start"), (len(days) // 2, "middle"), (len(days) - 1, "end"))
        return [Tick(self.x(n, len(days)), f"{days[n]:%-d %b}", anchor) for n, anchor in places]


def ceiling(number: int) -> int:
    """The next round number that has a half: 2, 4, 6, 8, 10, 20, 40, ..."""
    scale = 1
    while True:
        for step in _STEPS:
            if step * scale >= number:
                return max(2, step * scale)
        scale *= 10


class Spread(NamedTuple):
    """Lengths of time: the middle one, and the one that nine of ten were shorter than."""

    number: int
    median: timedelta
    slow: timedelta


def spread(seconds: Sequence[float]) -> Spread:
    """Of one length or more."""
    tenths = quantiles(seconds, n=10, method="inclusive") if len(seconds) > 1 else list(seconds) * 9
    return Spread(len(seconds), timedelta(seconds=tenths[4]), timedelta(seconds=tenths[8]))


class Bar(NamedTuple):
    """How far half of the times reach, and nine of ten; ``y`` is the top of its row."""

    label: str
    y: int
    half: float
    slow: float


def bars(rows: Sequence[tuple[str, timedelta, timedelta]], room: int, row: int) -> list[Bar]:
    """Times beside each other on one scale: ``room`` is what the longest fills, ``row`` the height of each."""
    longest = max((slow.total_seconds() for _, _, slow in rows), default=0) or 1

    def reach(time: timedelta) -> float:
        return round(room * time.total_seconds() / longest, 1)

    return [Bar(label, n * row, reach(half), reach(slow)) for n, (label, half, slow) in enumerate(rows)]
