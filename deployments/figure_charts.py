"""The charts of how deployments go: columns of what went live and what failed, bars of how long it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from deployments.figures import Bucket, Figures, Place
from portal.core.charts import Bar, Frame, Spread, Tick, bars, ceiling

# Near the width that they have on a page: their words are as large as others, and can be read on a phone.
FRAME: Final = Frame(width=440, height=240, left=40, right=8, top=10, bottom=26)
# of its slot, what a column fills; what failed stands on it, narrower: shape says what colour says
WIDE, NARROW = 0.7, 0.35
WIDEST: Final = 28.0
BAR_ROW, BARS_WIDTH = 34, 440
BARS_SHOWN: Final = 12


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Column(NamedTuple):
    live: Box | None
    failed: Box | None


class Columns(NamedTuple):
    width: int
    height: int
    # where numbers end
    numbers: int
    columns: list[Column]
    rules: list[Tick]
    dates: list[Tick]
    grid: str
    said: str


def columns(buckets: Sequence[Bucket]) -> Columns:
    """Day by day, or week by week. ``said`` is the whole in one sentence."""
    top = ceiling(max((bucket.live + bucket.failed for bucket in buckets), default=0))
    rules = FRAME.rules(top)
    slot = (FRAME.width - FRAME.left - FRAME.right) / max(1, len(buckets))
    found = [_column(bucket, FRAME.left + slot * n + slot / 2, slot, top) for n, bucket in enumerate(buckets)]
    return Columns(
        FRAME.width,
        FRAME.height,
        FRAME.left - 8,
        found,
        rules,
        FRAME.dates([bucket.first for bucket in buckets]),
        FRAME.grid(rules),
        _sentence(buckets),
    )


def _column(bucket: Bucket, middle: float, slot: float, top: int) -> Column:
    wide, narrow = (min(slot * share, WIDEST * share / WIDE) for share in (WIDE, NARROW))
    ground, live = FRAME.y(0, top), FRAME.y(bucket.live, top)
    high = FRAME.y(bucket.live + bucket.failed, top)
    return Column(
        Box(middle - wide / 2, live, wide, ground - live) if bucket.live else None,
        Box(middle - narrow / 2, high, narrow, live - high) if bucket.failed else None,
    )


def _sentence(buckets: Sequence[Bucket]) -> str:
    live, failed = sum(bucket.live for bucket in buckets), sum(bucket.failed for bucket in buckets)
    most = max(buckets, key=lambda bucket: bucket.live)
    when = f"{most.first:%-d %B}" if most.first == most.last else f"the week from {most.first:%-d %B}"
    busiest = f" The most went live {'on' if most.first == most.last else 'in'} {when}: {most.live:,}." if live else ""
    return f"{live:,} went live, {failed:,} failed.{busiest}"


class Time(NamedTuple):
    """Of one place."""

    place: Place
    spread: Spread
    bar: Bar


class Times(NamedTuple):
    """``more``: places that there was no room for."""

    times: list[Time]
    height: int
    more: int


def times(places: Sequence[Figures], of: Callable[[Figures], Spread | None]) -> Times | None:
    """The places with the longest times, as many as there is room for, on one scale; None where none is known."""
    known = [(figures.place, found) for figures in places if figures.place and (found := of(figures))]
    known.sort(key=lambda one: one[1].median, reverse=True)
    shown = known[:BARS_SHOWN]
    rows = [(f"{place.service}, {place.environment}", found.median, found.slow) for place, found in shown]
    drawn = bars(rows, BARS_WIDTH, BAR_ROW)
    listed = [Time(place, found, bar) for (place, found), bar in zip(shown, drawn, strict=True)]
    return Times(listed, BAR_ROW * len(listed), len(known) - len(shown)) if listed else None
