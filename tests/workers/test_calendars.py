"""Calendars: nothing is due twice and nothing is left out, on the days when the clocks are changed too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.calendars import BadCalendar, BadZone, Calendar, read, zone

pytestmark = pytest.mark.once
MINUTE = timedelta(minutes=1)
# Forward at two, at midnight, and by half an hour; and back.
DAYS = {
    "Europe/Berlin": [datetime(2026, 3, 29), datetime(2026, 10, 25)],
    "America/Havana": [datetime(2026, 3, 8), datetime(2026, 11, 1)],
    "Australia/Lord_Howe": [datetime(2026, 10, 4), datetime(2026, 4, 5)],
}


def due(expression: str, name: str, begin: str, number: int) -> list[str]:
    """The next due times, as the clock on the wall has them."""
    place = ZoneInfo(name)
    found = islice(read(expression, name).after(datetime.fromisoformat(begin).replace(tzinfo=place)), number)
    return [f"{at.astimezone(place):%m-%d %H:%M %z}" for at in found]


class TestTheClockIsPutForward:
    def test_a_time_that_is_left_out_comes_once_right_after_the_gap(self) -> None:
        found = due("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2)
        assert found == ["03-29 03:00 +0200", "03-30 02:30 +0200"]

    def test_two_of_them_come_together_and_so_once(self) -> None:
        found = due("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", 3)
        assert found == ["03-29 03:00 +0200", "03-29 03:30 +0200", "03-30 02:00 +0200"]

    def test_midnight_can_be_left_out(self) -> None:
        assert due("15 0 * * *", "America/Havana", "2026-03-07T12:00", 1) == ["03-08 01:00 -0400"]

    def test_every_hour_is_every_hour(self) -> None:
        found = due("0 * * * *", "Europe/Berlin", "2026-03-29T00:30", 3)
        assert found == ["03-29 01:00 +0100", "03-29 03:00 +0200", "03-29 04:00 +0200"]


class TestTheClockIsPutBack:
    def test_a_time_that_is_there_twice_comes_the_first_time(self) -> None:
        found = due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2)
        assert found == ["10-25 02:30 +0200", "10-26 02:30 +0100"]

    def test_asked_between_the_two_it_is_over(self) -> None:
        second = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
        assert read("30 2 * * *", "Europe/Berlin").next(second) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)

    def test_every_half_hour_is_every_half_hour(self) -> None:
        found = due("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45", 5)
        hours = ["02:00 +0200", "02:30 +0200", "02:00 +0100", "02:30 +0100", "03:00 +0100"]
        assert found == [f"10-25 {hour}" for hour in hours]


def one(low: int, high: int) -> st.SearchStrategy[str]:
    """A field of an expression."""
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    lists = st.lists(number, min_size=1, max_size=3, unique=True).map(lambda found: ",".join(map(str, sorted(found))))
    steps = st.tuples(st.sampled_from(["*", f"{low}-{high}"]), st.integers(2, 20)).map(lambda two: f"{two[0]}/{two[1]}")
    return st.one_of(st.just("*"), lists, spans, steps)


def named(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        ends = (low, high) if span == "*" else (int(first), int(last or first))
        found.update(range(ends[0], ends[1] + 1, int(step or 1)))
    return found


def one_by_one(expression: str, place: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Minute by minute of real time, what is due in it: the rule, written as plainly as can be."""
    minute, hour, days, _, weekdays = expression.split()
    minutes, hours = named(minute, 0, 59), named(hour, 0, 23)
    fixed = not minute.startswith("*") and not hour.startswith("*")
    both = days.startswith("*") or weekdays.startswith("*")

    def matches(wall: datetime) -> bool:
        of_month = wall.day in named(days, 1, 31)
        of_week = wall.isoweekday() % 7 in named(weekdays, 0, 6)
        day = (of_month and of_week) if both else (of_month or of_week)
        return day and wall.minute in minutes and wall.hour in hours

    found, shown, before = [], set(), begin.astimezone(place).replace(tzinfo=None)
    for n in range(1, int((end - begin) / MINUTE) + 1):
        at = begin + n * MINUTE
        wall = at.astimezone(place).replace(tzinfo=None)
        walls = [wall]
        if fixed:
            # What the clock skipped is shown now, and what it has shown before is not shown again.
            skipped = max(0, int((wall - before) / MINUTE) - 1)
            walls = [before + k * MINUTE for k in range(1, skipped + 1)] + [wall]
            walls = [one for one in walls if one not in shown]
            shown.update(walls)
        if any(matches(one) for one in walls):
            found.append(at)
        before = wall
    return found


expressions = st.tuples(
    one(0, 59), one(0, 23) | one(0, 4), st.just("*") | one(1, 31), st.just("*"), st.just("*") | one(0, 6)
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(expression=expressions, name=st.sampled_from(sorted(DAYS)), spring=st.booleans(), ahead=st.integers(840, 1800))
def test_on_both_days_it_is_due_when_a_look_at_each_minute_finds_it(
    expression: str, name: str, spring: bool, ahead: int
) -> None:
    begin = DAYS[name][0 if spring else 1].replace(tzinfo=UTC) - ahead * MINUTE
    end = begin + timedelta(hours=54)
    place = ZoneInfo(name)
    wanted = one_by_one(expression, place, begin, end)
    calendar = Calendar(expression, place)
    found = []
    for at in calendar.after(begin):
        if at > end:
            break
        found.append(at)
    assert found == wanted
    # Asked anew after each, as a schedule does, it goes the same way.
    for before, at in zip([begin, *wanted][:60], wanted[:60], strict=False):
        assert calendar.next(before) == at


@settings(max_examples=150, deadline=None)
@given(expression=expressions, name=st.sampled_from(sorted(DAYS)), seconds=st.floats(0, 3 * 365 * 86_400))
def test_the_next_is_always_in_the_future(expression: str, name: str, seconds: float) -> None:
    asked = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    found = list(islice(Calendar(expression, ZoneInfo(name)).after(asked), 3))
    assert found and asked < found[0] and found == sorted(set(found))


class TestWhatIsTyped:
    def test_spaces_do_not_matter(self) -> None:
        assert read("  0   7 * *  mon-fri ", "UTC").expression == "0 7 * * mon-fri"

    @pytest.mark.parametrize(
        ("expression", "said"),
        [
            ("", "this has 0 fields"),
            ("@daily", "this has 1 field."),
            ("0 0 7 * * *", "this has 6 fields"),
            ("60 * * * *", 'minute "60"'),
            ("0 25 * * *", 'hour "25"'),
            ("0 7-5 * * *", 'hour "7-5"'),
            ("0 7 0 * *", 'day-of-month "0"'),
            ("0 7 * MOO *", 'month "MOO"'),
            ("0 7 * * 8", 'day-of-week "8"'),
            ("*/0 * * * *", 'minute "*/0"'),
            ("٣ * * * *", 'minute "٣"'),
            ("0 7 30 2 *", "never comes"),
        ],
    )
    def test_what_says_no_time_is_refused_and_named(self, expression: str, said: str) -> None:
        with pytest.raises(BadCalendar) as refused:
            read(expression, "UTC")
        assert said in str(refused.value)

    @pytest.mark.parametrize("name", ["Europe/Berln", "europe/berlin", "Europe", "../etc/passwd", "+02:00", "x" * 60])
    def test_an_unknown_zone_is_refused(self, name: str) -> None:
        with pytest.raises(BadZone):
            zone(name)

    def test_a_near_name_is_told(self) -> None:
        with pytest.raises(BadZone, match="Do you mean Europe/Berlin"):
            zone("Europe/Berln")

    def test_the_twenty_ninth_of_february_is_waited_for(self) -> None:
        assert due("0 12 29 2 *", "UTC", "2026-01-01T00:00", 2) == ["02-29 12:00 +0000", "02-29 12:00 +0000"]
