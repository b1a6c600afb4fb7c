"""When a freeze is in force: once or each week, by the clocks of a place, on the days when those are changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from deployments import windows
from deployments.windows import Window
from workers import calendars

pytestmark = pytest.mark.once

BERLIN = "Europe/Berlin"


@dataclass
class Times:
    begins_at: datetime
    ends_at: datetime
    time_zone: str = BERLIN
    weekly: bool = True


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def typed(begins: str, ends: str, **more: object) -> Times:
    zone = calendars.zone(BERLIN)
    first, last = windows.read(begins), windows.read(ends)
    return Times(windows.moment_of(first, zone), windows.moment_of(last, zone, last=True), **more)  # type: ignore[arg-type]


def test_a_freeze_is_in_force_from_its_begin_up_to_its_end() -> None:
    freeze = typed("2026-12-24 18:00", "2026-12-27 08:00", weekly=False)
    assert freeze.begins_at == utc("2026-12-24 17:00")
    second = timedelta(seconds=1)
    for moment, held in (
        (freeze.begins_at - second, False),
        (freeze.begins_at, True),
        (freeze.ends_at - second, True),
        (freeze.ends_at, False),
    ):
        assert (windows.at(freeze, moment) is not None) is held, moment


def test_each_week_it_keeps_to_the_clocks_of_the_place_when_they_are_changed() -> None:
    freeze = typed("2026-03-20 18:00", "2026-03-23 08:00")
    found = list(windows.overlapping(freeze, utc("2026-03-01 00:00"), utc("2026-04-05 00:00")))
    assert [(str(one.begins)[:16], str(one.ends)[:16]) for one in found] == [
        ("2026-03-20 17:00", "2026-03-23 07:00"),
        # The clocks are put forward in this one: an hour less, and 8 is 6 in UTC.
        ("2026-03-27 17:00", "2026-03-30 06:00"),
        ("2026-04-03 16:00", "2026-04-06 06:00"),
    ]


def test_of_a_time_that_comes_twice_it_begins_with_the_first_and_ends_with_the_second() -> None:
    """On 2026-10-25 the clocks show 02:30 at 00:30 and at 01:30 UTC."""
    once = typed("2026-10-25 02:30", "2026-10-25 05:00", weekly=False)
    assert once.begins_at == utc("2026-10-25 00:30")
    assert typed("2026-10-24 22:00", "2026-10-25 02:30", weekly=False).ends_at == utc("2026-10-25 01:30")
    weekly = typed("2026-10-17 22:00", "2026-10-18 02:30")
    assert windows.at(weekly, utc("2026-10-25 01:10")) == Window(utc("2026-10-24 20:00"), utc("2026-10-25 01:30"))


def test_each_week_a_time_that_is_left_out_comes_right_after_the_gap() -> None:
    weekly = typed("2026-03-22 02:30", "2026-03-22 06:00")
    assert windows.at(weekly, utc("2026-03-29 01:00")) == Window(utc("2026-03-29 01:00"), utc("2026-03-29 04:00"))
    assert windows.at(weekly, utc("2026-03-29 00:59")) is None


def test_a_time_that_the_clocks_never_show_is_said() -> None:
    with pytest.raises(windows.NoSuchTime, match="never show 02:30 on 2026-03-29: they are put forward"):
        typed("2026-03-29 02:30", "2026-03-29 09:00")


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01 00:00", "2026-12-24 18:00Z", "2026-12-24", "٢٠٢٦-12-24"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(windows.NoSuchTime, match="such as 2026-12-24 18:00"):
        windows.read(text)


def test_the_ends_of_the_calendar_are_no_fault() -> None:
    with pytest.raises(windows.NoSuchTime, match="at an end of the calendar"):
        windows.moment_of(datetime(1, 1, 1), calendars.zone("Asia/Tokyo"))
