"""The geometry of the charts of findings: numbers to points; templates give them paint and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from reviews.models import Severity
from reviews.trends import Day, Pace

# Near the width that it has on a page: its words are as large as others, and can be read on a phone.
WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 96, 10, 26
LABEL_GAP: Final = 15
BARS_WIDTH, BARS_LEFT, BAR_ROW = 440, 84, 22
_STEPS: Final = (1, 2, 4, 6, 8)
# At most three lines can be told apart: what is less than important goes together. A dash says what the colour says.
_LINES: Final = (
    ("Critical", (Severity.CRITICAL,), "bad", ""),
    ("Important", (Severity.HIGH,), "warn", "7 3"),
    ("Others", (Severity.MEDIUM, Severity.LOW, Severity.INFO, Severity.NONE), "", "2 3"),
)


class Tick(NamedTuple):
    at: float
    label: str
    anchor: str = "start"


@dataclass(slots=True)
class Line:
    """A line of steps, and its name with its last number at its end."""

    name: str
    tone: str
    dashes: str
    points: str
    first: int
    last: int
    y: float


class OverTime(NamedTuple):
    width: int
    height: int
    # where names begin, and where numbers end
    names: int
    numbers: int
    lines: list[Line]
    rules: list[Tick]
    dates: list[Tick]
    grid: str
    said: str


def over_time(days: Sequence[Day]) -> OverTime:
    """Open findings day by day. ``said`` is the whole in one sentence."""
    values = [[sum(day.open[severity] for severity in of) for day in days] for _, of, _, _ in _LINES]
    top = ceiling(max((max(line) for line in values), default=0))
    lines = [
        Line(name, tone, dashes, _points(line, top), line[0], line[-1], _y(line[-1], top) + 4)
        for (name, _, tone, dashes), line in zip(_LINES, values, strict=True)
    ]
    _apart(lines)
    rules = [Tick(_y(number, top), f"{number:,}") for number in (0, top // 2, top)]
    grid = "".join(f"M{LEFT} {rule.at:.1f}H{WIDTH - RIGHT}" for rule in rules)
    return OverTime(
        WIDTH,
        HEIGHT,
        WIDTH - RIGHT + 6,
        LEFT - 8,
        lines,
        rules,
        _dates([day.day for day in days]),
        grid,
        _sentence(days),
    )


def _points(values: Sequence[int], top: int) -> str:
    """A number holds until the next day: steps, no slopes."""
    path = ""
    for n, value in enumerate(values):
        x, y = _x(n, len(values)), _y(value, top)
        path += f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}"
    return path


def ceiling(number: int) -> int:
    """The next round number that has a half: 2, 4, 6, 8, 10, 20, 40, ..."""
    scale = 1
    while True:
        for step in _STEPS:
            if step * scale >= number:
                return max(2, step * scale)
        scale *= 10


def _x(n: int, of: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * n / max(1, of - 1)


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _apart(lines: list[Line]) -> None:
    """Labels at the ends of lines that end near each other make way, downward and then up from the ground."""
    ordered = sorted(lines, key=lambda line: line.y)
    for above, below in zip(ordered, ordered[1:], strict=False):
        below.y = max(below.y, above.y + LABEL_GAP)
    floor = HEIGHT - BOTTOM + 4.0
    for line in reversed(ordered):
        line.y = min(line.y, floor)
        floor = line.y - LABEL_GAP


def _dates(days: Sequence[date]) -> list[Tick]:
    places = ((0, "start"), (len(days) // 2, "middle"), (len(days) - 1, "end"))
    return [Tick(_x(n, len(days)), f"{days[n]:%-d %b}", anchor) for n, anchor in places]


def _sentence(days: Sequence[Day]) -> str:
    first, last = days[0], days[-1]

    def told(day: Day) -> str:
        return f"{day.all:,} ({day.open[Severity.CRITICAL]:,} critical, {day.open[Severity.HIGH]:,} important)"

    return f"From {told(first)} on {first.day:%-d %B} to {told(last)} on {last.day:%-d %B}."


class Bar(NamedTuple):
    """Of one severity: how far half of its fixes reach, and nine of ten; ``y`` is the top of its row."""

    label: str
    y: int
    half: float
    slow: float


def bars(paces: Sequence[Pace]) -> list[Bar]:
    """Times to fix beside each other, on one scale."""
    longest = max((pace.slow.total_seconds() for pace in paces), default=0) or 1
    room = BARS_WIDTH - BARS_LEFT
    return [
        Bar(
            Severity(pace.severity).label,
            n * BAR_ROW,
            round(room * pace.median.total_seconds() / longest, 1),
            round(room * pace.slow.total_seconds() / longest, 1),
        )
        for n, pace in enumerate(paces)
    ]


class Sample(NamedTuple):
    """A row of the table beside the chart."""

    day: date
    numbers: list[int]
    all: int


def samples(days: Sequence[Day], severities: Sequence[str], every: int = 7) -> list[Sample]:
    """Each seventh day back from the last one, the newest first."""
    chosen = list(days)[::-1][::every]
    return [Sample(day.day, [day.open[severity] for severity in severities], day.all) for day in chosen]
