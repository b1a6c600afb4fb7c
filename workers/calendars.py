"""Calendars: cron expressions of five fields, in a time zone, right on the days when the clocks are changed.

Their rule is Debian's. Fixed times (neither minute nor hour begins with a
star) are times of the wall clock: one that a spring day leaves out comes once,
right after the gap, and one that an autumn day has twice comes once, the first
time. All others follow real time: each minute or hour that matches is one.

cronsim reads the expression and walks the wall clock. What a change of the
clocks does to it is decided here: its own walk in a zone loses times where the
change is no whole hour, or comes at midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

FIELDS: Final = ("minute", "hour", "day-of-month", "month", "day-of-week")
_ANY: Final = datetime(2000, 1, 1)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class BadCalendar(ValueError):
    """An expression that says no time; the message says what of it."""


class BadZone(ValueError):
    """No time zone has this name."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """An expression that comes due now and then, in its time zone."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times later than ``moment``, in UTC, each once and later than the one before it."""
        last, begin = moment.astimezone(UTC), moment.astimezone(UTC).replace(microsecond=0)
        for due in self._fixed(begin) if self._is_fixed else self._real(begin):
            # Two times that a spring day leaves out come at one moment; the first of two alike may be over.
            if due > last:
                last = due
                yield due

    def next(self, moment: datetime) -> datetime:
        """The first due time later than ``moment``. Raises ``BadCalendar`` where there is none any more."""
        for due in self.after(moment):
            return due
        raise BadCalendar(f'"{self.expression}" never comes after {moment:%Y-%m-%d}.')

    @property
    def _is_fixed(self) -> bool:
        minute, hour = self.expression.split()[:2]
        return not minute.startswith("*") and not hour.startswith("*")

    def _fixed(self, begin: datetime) -> Iterator[datetime]:
        for wall in _walk(self.expression, begin.astimezone(self.zone).replace(tzinfo=None)):
            while self._is_left_out(wall):
                wall += _MINUTE
            yield wall.replace(tzinfo=self.zone).astimezone(UTC)

    def _is_left_out(self, wall: datetime) -> bool:
        there = wall.replace(tzinfo=self.zone)
        return there.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != wall

    def _real(self, begin: datetime) -> Iterator[datetime]:
        """Between two changes of the clocks, the wall clock is real time and an offset."""
        offset, start = self._offset(begin), begin
        while True:
            change = None
            for wall in _walk(self.expression, (start + offset).replace(tzinfo=None)):
                due = wall.replace(tzinfo=UTC) - offset
                if (change := self._change(begin, due, offset)) is not None:
                    break
                yield due
                begin = due
            if change is None:
                return
            # What the clocks show at the very moment of the change may be due.
            begin, offset, start = change, self._offset(change), change - _SECOND

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()

    def _change(self, begin: datetime, end: datetime, offset: timedelta) -> datetime | None:
        """The first moment after ``begin``, up to ``end``, at which the zone has another offset."""
        while begin < end:
            day = min(begin + _DAY, end)
            if self._offset(day) != offset:
                while (apart := int((day - begin).total_seconds())) > 1:
                    middle = begin + timedelta(seconds=apart // 2)
                    begin, day = (middle, day) if self._offset(middle) == offset else (begin, middle)
                return day
            begin = day
        return None


def _walk(expression: str, wall: datetime) -> Iterator[datetime]:
    """The times of the wall clock, without any zone, that the expression names after ``wall``."""
    try:
        yield from CronSim(expression, wall)
    except OverflowError:
        return  # the calendar of Python ends


def read(expression: str, time_zone: str) -> Calendar:
    """What was typed, as a calendar. Raises ``BadCalendar``, or ``BadZone``."""
    parts = expression.split()
    if len(parts) != len(FIELDS):
        given = f"{len(parts)} field{'' if len(parts) == 1 else 's'}"
        raise BadCalendar(f"Five fields are needed, {', '.join(FIELDS)}, such as 30 6 * * MON-FRI; this has {given}.")
    try:
        CronSim(" ".join(parts), _ANY)
    except CronSimError as problem:
        raise BadCalendar(_what_is_wrong(parts, str(problem))) from None
    found = Calendar(" ".join(parts), zone(time_zone))
    found.next(datetime.now(UTC))
    return found


def _what_is_wrong(parts: list[str], said: str) -> str:
    name = said.removeprefix("Bad ")
    if name not in FIELDS:
        return f"It cannot be read: {said}."
    return f'The {name} "{parts[FIELDS.index(name)]}" cannot be read, or never comes.'


def zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises ``BadZone``."""
    if name in _zones():
        return ZoneInfo(name)
    near = get_close_matches(name, _zones(), 1)
    hint = f" Do you mean {near[0]}?" if near else " One is Europe/Berlin."
    raise BadZone(f"No time zone is named {name}.{hint}")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
