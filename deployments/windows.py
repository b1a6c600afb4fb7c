"""When a freeze is in force: times that were typed in a time zone, once or each week, as moments.

Whatever the clocks do, a freeze is rather longer than shorter: of a time that
an autumn day has twice it begins with the first and ends with the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from workers import calendars
from workers.calendars import Calendar

WRITTEN: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class NoSuchTime(ValueError):
    """The clocks of that place never show this time."""


class Frozen(Protocol):
    """What windows are made of; a row of ``Freeze`` is one."""

    begins_at: datetime
    ends_at: datetime
    time_zone: str
    weekly: bool


@dataclass(frozen=True, slots=True)
class Window:
    """From one moment, up to and without another, in UTC."""

    begins: datetime
    ends: datetime

    def holds(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends


def read(typed: str) -> datetime:
    """A time as clocks somewhere show it, to the minute: 2026-12-24 18:00, or with a T. Raises ``NoSuchTime``."""
    for form in WRITTEN if typed.isascii() else ():
        try:
            return datetime.strptime(typed, form).replace(second=0)
        except ValueError:
            continue
    raise NoSuchTime("A day and a time without an offset, such as 2026-12-24 18:00.")


def moment_of(wall: datetime, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """What clocks in ``zone`` show as ``wall``, in UTC; ``last`` is the second of two. Raises ``NoSuchTime``."""
    try:
        moment = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
        shown = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise NoSuchTime(f"{wall:%Y-%m-%d} is at an end of the calendar.") from None
    if shown != wall:
        raise NoSuchTime(f"The clocks in {zone.key} never show {wall:%H:%M} on {wall:%Y-%m-%d}: they are put forward.")
    return moment


def overlapping(freeze: Frozen, since: datetime, until: datetime) -> Iterator[Window]:
    """Its windows that have a moment in common with ``since`` up to ``until``, in their order."""
    if not freeze.weekly:
        if freeze.begins_at < until and freeze.ends_at > since:
            yield Window(freeze.begins_at, freeze.ends_at)
        return
    zone = calendars.zone(freeze.time_zone)
    begins, ends = _each_week(freeze.begins_at, zone), _each_week(freeze.ends_at, zone)
    # Shorter than a week each, and a day for what the clocks do.
    first = max(since - WEEK - _DAY, freeze.begins_at - _SECOND)
    for begin in begins.after(first):
        if begin >= until:
            return
        window = Window(begin, _last(ends.next(begin), zone))
        if window.ends > since:
            yield window


def at(freeze: Frozen, moment: datetime) -> Window | None:
    """The window that is in force then."""
    found = overlapping(freeze, moment, moment + _SECOND)
    return next((window for window in found if window.holds(moment)), None)


def shown(moment: datetime, time_zone: str) -> str:
    """As people there read it, with the name of the zone."""
    return f"{moment.astimezone(calendars.zone(time_zone)):%Y-%m-%d %H:%M} {time_zone}"


def _each_week(moment: datetime, zone: ZoneInfo) -> Calendar:
    wall = moment.astimezone(zone)
    return Calendar(f"{wall.minute} {wall.hour} * * {wall.isoweekday() % 7}", zone)


def _last(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(fold=1).astimezone(UTC)
