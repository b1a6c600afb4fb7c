"""The geometry of the charts of findings: numbers to points; templates give them paint and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from portal.core import charts
from portal.core.charts import Bar, Frame, Tick, ceiling
from reviews.models import Severity
from reviews.trends import Day, Pace

# Near the width that it has on a page: its words are as large as others, and can be read on a phone.
WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 96, 10, 26
FRAME: Final = Frame(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM)
LABEL_GAP: Final = 15
BARS_WIDTH, BARS_LEFT, BAR_ROW = 440, 84, 22
# At most three lines can be told apart: what is less than important goes together. A dash says what the colour says.
_LINES: Final = (
    ("Critical", (Severity.CRITICAL,), "bad", ""),
    ("Important", (Severity.HIGH,), "warn", "7 3"),
    ("Others", (Severity.MEDIUM, Severity.LOW, Severity.INFO, Severity.NONE), "", "2 3"),
)


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
        Line(name, tone, dashes, FRAME.steps(line, top), line[0], line[-1], FRAME.y(line[-1], top) + 4)
        for (name, _, tone, dashes), line in zip(_LINES, values, strict=True)
    ]
    _apart(lines)
    rules = FRAME.rules(top)
    return OverTime(
        WIDTH,
        HEIGHT,
        WIDTH - RIGHT + 6,
        LEFT - 8,
        lines,
        rules,
        FRAME.dates([day.day for day in days]),
        FRAME.grid(rules),
        _sentence(days),
    )


def _apart(lines: list[Line]) -> None:
    """Labels at the ends of lines that end near each other make way, downward and then up from the ground."""
    ordered = sorted(lines, key=lambda line: line.y)
    for above, below in zip(ordered, ordered[1:], strict=False):
        below.y = max(below.y, above.y + LABEL_GAP)
    floor = HEIGHT - BOTTOM + 4.0
    for line in reversed(ordered):
        line.y = min(line.y, floor)
        floor = line.y - LABEL_GAP


def _sentence(days: Sequence[Day]) -> str:
    first, last = days[0], days[-1]

    def told(day: Day) -> str:
        return f"{day.all:,} ({day.open[Severity.CRITICAL]:,} critical, {day.open[Severity.HIGH]:,} important)"

    return f"From {told(first)} on {first.day:%-d %B} to {told(last)} on {last.day:%-d %B}."


def bars(paces: Sequence[Pace]) -> list[Bar]:
    """Times to fix beside each other, a row for each severity."""
    rows = [(str(Severity(pace.severity).label), pace.median, pace.slow) for pace in paces]
    return charts.bars(rows, BARS_WIDTH - BARS_LEFT, BAR_ROW)


class Sample(NamedTuple):
    """A row of the table beside the chart."""

    day: date
    numbers: list[int]
    all: int


def samples(days: Sequence[Day], severities: Sequence[str], every: int = 7) -> list[Sample]:
    """Each seventh day back from the last one, the newest first."""
    chosen = list(days)[::-1][::every]
    return [Sample(day.day, [day.open[severity] for severity in severities], day.all) for day in chosen]
