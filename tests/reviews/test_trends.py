"""How findings went: open by day, how long a fix took, whose fixes came back; and the charts of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.models import Activity
from reviews import charts, trends
from reviews.models import Finding
from tests import factories
from tests.reviews import build
from tests.signing_in import SignIn
from tests.tickets import build as builder
from tickets.models import Turn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def lived(of: Any, *states: tuple[str, float], severity: str = "critical") -> Finding:
    """A finding that was in these states from so many days ago on, as its history says."""
    finding = build.finding(of, state=states[-1][0], severity=severity)
    Finding.objects.filter(pk=finding.pk).update(created_at=NOW - timedelta(days=states[0][1]))
    before: dict[str, str] = {}
    for state, days in states:
        verb = "found" if not before else {"fixed": "fix", "open": "open_again"}.get(state, state)
        Activity.objects.create(
            at=NOW - timedelta(days=days),
            actor_kind="user",
            actor_label="x",
            verb=f"finding.{verb}",
            subject=finding.subject,
            before=before,
            after={"state": state},
            request_id="x",
            scope=of.scope,
        )
        before = {"state": state}
    return finding


def open_on(found: trends.Trends, days_ago: int, severity: str = "critical") -> int:
    return found.days[-1 - days_ago].open[severity]


def test_what_was_open_is_what_the_history_says(world: World) -> None:
    lived(world.mc, ("open", 200))
    lived(world.mc, ("open", 20), ("fixed", 10), ("open", 5))
    lived(world.mc, ("open", 15), ("withdrawn", 14), severity="low")
    lived(world.mc, ("fixed", 12))
    lived(factories.project("AB", "Another"), ("open", 20))
    found = trends.of({world.mc.pk}, NOW)
    assert len(found.days) == 90 and found.days[-1].day == NOW.date()
    assert [open_on(found, ago) for ago in (89, 21, 20, 11, 10, 5, 0)] == [1, 1, 2, 2, 1, 2, 2]
    assert [open_on(found, ago, "low") for ago in (16, 15, 14)] == [0, 1, 0]
    assert open_on(trends.of(None, NOW), 0) == 3


def test_time_to_fix_counts_from_when_it_was_opened_last(world: World) -> None:
    # history is written in the order of its times
    lived(world.mc, ("open", 300), ("fixed", 22), severity="low")
    lived(world.mc, ("open", 30), ("fixed", 20), ("open", 10), ("fixed", 6))
    first, second = trends.of({world.mc.pk}, NOW).paces
    assert (first.severity, first.fixes, first.median.days, first.slow) == ("critical", 2, 7, timedelta(days=9.4))
    assert (second.severity, second.median.days, second.slow.days) == ("low", 278, 278)


@pytest.mark.once
def test_only_the_newest_fixes_are_timed_and_that_is_said(world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"TRENDS_FIXES_ROWS": 10}
    for _ in range(11):
        lived(world.mc, ("open", 3), ("fixed", 1))
    found = trends.of({world.mc.pk}, NOW)
    assert found.cut and found.paces[0].fixes == 10


def test_a_fix_that_came_back_is_that_of_the_profile_whose_turn_was_last(world: World) -> None:
    back = lived(world.mc, ("open", 9), ("fixed", 6), ("open", 3))
    kept = lived(world.mc, ("open", 9), ("fixed", 6))
    lived(world.mc, ("open", 9), ("fixed", 6), ("open", 3))
    for finding in (back, kept):
        ticket = builder.ticket(world.mc)
        builder.turn(ticket)
        Finding.objects.filter(pk=finding.pk).update(ticket=ticket)
    Turn.objects.update(ended_at=NOW - timedelta(days=7))
    [profile] = trends.of({world.mc.pk}, NOW).profiles
    assert (profile.fixes, profile.back, profile.share) == (2, 1, 50)
    Turn.objects.update(ended_at=NOW - timedelta(days=1))
    assert trends.of({world.mc.pk}, NOW).profiles == []


def test_the_trends_take_as_many_statements_however_much_there_is(world: World) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as said:
            trends.of({world.mc.pk}, NOW)
        return len(said)

    lived(world.mc, ("open", 9), ("fixed", 6))
    few = cost()
    for _ in range(5):
        lived(world.mc, ("open", 9), ("fixed", 6), ("open", 2))
    assert cost() == few <= 6


@pytest.mark.pages
def test_the_page_says_in_words_what_its_charts_draw(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    page = sign_in(world.viewer).get("/findings/trends/").content.decode()
    assert "to 3 (1 critical, 1 important) on" in page and "Nothing was fixed" in page
    assert page.count('role="img" aria-labelledby="open-chart-title open-chart-words"') == 1
    page = sign_in(world.viewer).get("/findings/trends/?project=ZZ").content.decode()
    assert "You see no project “ZZ”. This filter was left out." in page
    assert "to 0 (0 critical, 0 important)" in sign_in(world.outsider).get("/findings/trends/").content.decode()


@pytest.mark.once
@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (9, 10), (11, 20), (620, 800), (99_999, 100_000)]
)
def test_an_axis_ends_at_a_round_number(most: int, top: int) -> None:
    assert charts.ceiling(most) == top


@pytest.mark.once
def test_names_at_the_ends_of_lines_never_cover_each_other() -> None:
    days = [trends.Day(NOW.date() - timedelta(days=n), dict.fromkeys(trends.Severity.values, 0)) for n in (1, 0)]
    places = sorted(line.y for line in charts.over_time(days).lines)
    assert all(below - above >= charts.LABEL_GAP for above, below in zip(places, places[1:], strict=False))
    assert places[0] > 0 and places[-1] <= charts.HEIGHT
