"""The four figures: which rows count, when, and what is said where something is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments import figure_charts, figures
from deployments.figures import Asked, Report
from deployments.models import Deployment, Environment, Release, Service
from portal.core.models import Activity
from tests import factories
from tests.deployments import build
from tests.signing_in import Counted, SignIn
from tests.tickets import build as tickets
from tickets.models import Project

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
LAST = date(2026, 6, 30)
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


class Past:
    """What happened in one place: ``days`` and hours are ago, before the noon of the last day."""

    def __init__(self, project: Project, service: Service | None = None, to: str = "live") -> None:
        self.project, self.service = project, service or build.service(project, "web")
        self.environment = Environment.objects.filter(project=project, name=to).first() or build.environment(
            project, to
        )

    def release(self, *merges: int) -> Release:
        return build.release(self.service, merges=list(merges))

    def merge(self, days: float) -> int:
        ticket = tickets.ticket(self.project, "done")
        work = tickets.turn(ticket, head_commit="b" * 40)
        made = tickets.merge(ticket, work, "merged", ended_at=NOON - timedelta(days=days))
        return int(made.pk)

    def deployed(self, *events: tuple[str, float], release: Any = None, over: Any = None) -> Deployment:
        """With its own history, an event for each verb, so many days ago; call them in the order of their times."""
        made = build.deployment(
            self.project,
            "succeeded",
            service=self.service,
            environment=self.environment,
            release=release,
            previous=over,
        )
        for verb, days in events:
            happened(made, verb, days)
        return made


def happened(deployment: Deployment, verb: str, days: float) -> None:
    Activity.objects.create(
        at=NOON - timedelta(days=days), actor_kind="user", actor_label="x", verb=f"deployment.{verb}",
        subject=deployment.subject, request_id="x", scope=deployment.service.project.scope,
    )  # fmt: skip


def asked(*projects: Project, days: int = 28, **named: str) -> Report:
    return figures.of(Asked({one.pk for one in projects}, LAST - timedelta(days=days - 1), LAST, **named))


@pytest.fixture
def past(world: World) -> Past:
    return Past(world.mc)


def test_what_went_live_counts_once_and_what_never_began_does_not(past: Past) -> None:
    past.deployed(("succeed", 40))
    past.deployed(("start", 9), ("interrupt", 9), ("go_on", 9), ("succeed", 8))
    past.deployed(("refuse", 7))
    past.deployed(("cancel", 6))
    past.deployed(("succeed", 5), ("roll_back", 4), ("come_back", 4))
    whole = asked(past.project).whole
    assert (whole.live, whole.per_week, whole.attempts) == (2, 0.5, 2)


def test_a_failure_is_what_ended_so_or_went_back(past: Past) -> None:
    past.deployed(("succeed", 20))
    past.deployed(("fail", 15))
    past.deployed(("roll_back", 10), ("come_back", 10))
    past.deployed(("succeed", 5), ("roll_back", 4), ("come_back", 4))
    whole = asked(past.project).whole
    assert (whole.failed, whole.taken_back, whole.failures, whole.attempts, whole.rate) == (2, 1, 3, 4, 75)


def test_what_happens_after_the_span_changes_no_figure_of_it(past: Past) -> None:
    old = past.deployed(("succeed", 40))
    new = past.deployed(("succeed", 5))
    # It went live before the span: what goes back of it is no attempt of the span.
    happened(old, "roll_back", 3)
    happened(new, "roll_back", -1)
    whole = asked(past.project).whole
    assert (whole.attempts, whole.failures, whole.rate, whole.unrestored) == (1, 0, 0, 1)


def test_lead_time_is_from_accepted_to_live_once_for_each_place(past: Past) -> None:
    old, first, second = past.merge(50), past.merge(10), past.merge(6)
    stood, brought, both = past.release(old), past.release(old, first), past.release(old, first, second)
    past.deployed(("succeed", 8), release=brought, over=stood)
    past.deployed(("roll_back", 7), release=both, over=brought)
    past.deployed(("succeed", 2), release=both, over=brought)
    # Taken back and brought again: it came live there before.
    past.deployed(("succeed", 1), release=both, over=stood)
    lead = asked(past.project).whole.lead
    assert lead is not None
    assert (lead.number, lead.median, lead.slow) == (2, timedelta(days=3), timedelta(days=3.8))


def test_what_is_not_known_is_left_out_and_counted(past: Past) -> None:
    accepted_later = past.merge(1)
    past.deployed(("succeed", 9), release=past.release(past.merge(50)))
    past.deployed(("succeed", 3), release=past.release(accepted_later), over=past.release())
    whole = asked(past.project).whole
    assert (whole.live, whole.lead, whole.unknown, whole.early) == (2, None, 1, 1)


def test_time_to_restore_is_until_the_next_success_in_the_same_place(past: Past) -> None:
    other = Past(past.project, past.service, "test")
    past.deployed(("fail", 10))
    past.deployed(("roll_back", 9.5), ("come_back", 9.4))
    other.deployed(("succeed", 9))
    past.deployed(("succeed", 8))
    past.deployed(("fail", 2))
    found = asked(past.project)
    assert found.whole.restore is not None
    assert (found.whole.restore.number, found.whole.restore.median, found.whole.unrestored) == (1, timedelta(days=2), 1)
    assert [one.place.environment for one in found.places if one.place] == ["live", "test"]
    assert (found.places[1].live, found.places[1].unrestored) == (1, 0)


def test_what_is_healthy_no_more_is_a_failure_until_it_is_or_another_goes_live(past: Past) -> None:
    made = past.deployed(("succeed", 9))
    told = {"actor_kind": "user", "actor_label": "x", "subject": past.environment.subject, "request_id": "x"}
    told |= {"scope": past.project.scope, "after": {"deployment": made.pk}}
    for verb, days in (("degraded", 8), ("degraded", 7), ("recovered", 6), ("degraded", 3)):
        Activity.objects.create(at=NOON - timedelta(days=days), verb=f"placement.{verb}", **told)
    whole = asked(past.project).whole
    assert (whole.live, whole.degraded, whole.failures, whole.rate, whole.unrestored) == (1, 1, 1, 100, 1)
    assert whole.restore_seconds == [2 * 86_400]
    past.deployed(("succeed", 2))
    whole = asked(past.project).whole
    assert (whole.rate, whole.unrestored, whole.restore_seconds) == (50, 0, [2 * 86_400, 86_400])


def test_figures_are_of_the_projects_services_and_environments_that_are_asked_of(past: Past) -> None:
    theirs = Past(factories.project("LAN"))
    shop = Past(past.project, build.service(past.project, "shop"))
    for place in (past, theirs, shop):
        place.deployed(("succeed", 1))
    assert asked(past.project).whole.live == 2
    assert asked(past.project, service="shop").whole.live == 1
    assert asked(past.project, service="shop", environment="elsewhere").whole.live == 0
    assert asked(past.project, theirs.project).whole.live == 3


def test_buckets_are_days_for_a_month_and_weeks_beyond_it(past: Past) -> None:
    past.deployed(("succeed", 8))
    past.deployed(("fail", 0))
    days, weeks = asked(past.project, days=31).buckets, asked(past.project, days=33).buckets
    assert (len(days), len(weeks)) == (31, 5)
    assert (days[-9].live, days[-1].failed, weeks[-2].live, weeks[-1].failed) == (1, 1, 1, 1)
    assert (weeks[0].first, weeks[0].last) == (LAST - timedelta(days=32), LAST - timedelta(days=28))
    chart = figure_charts.columns(weeks)
    assert chart.said == "1 went live, 1 failed. The most went live in the week from 17 June: 1."
    live, failed = chart.columns[-2].live, chart.columns[-1].failed
    assert live and failed and live.width > failed.width and live.y + live.height == figure_charts.FRAME.y(0, 2)


def test_more_history_than_is_read_is_said(past: Past, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"FIGURES_EVENTS_ROWS": 10}
    for days in range(12, 0, -1):
        past.deployed(("succeed", days))
    found = asked(past.project)
    assert (found.cut, found.whole.live, found.from_day) == (True, 10, LAST - timedelta(days=10))


def test_statements_do_not_depend_on_how_much_there_is(past: Past) -> None:
    def costs(size: int) -> int:
        for _ in range(size):
            held = past.release(past.merge(9))
            past.deployed(("succeed", 3), release=held, over=past.release())
            past.deployed(("roll_back", 2))
        with CaptureQueriesContext(connection) as told:
            asked(past.project)
        return len(told)

    assert costs(1) == costs(6) <= 7


@pytest.mark.pages
class TestPage:
    def test_it_shows_the_figures_and_the_same_numbers_in_a_table_and_a_file(
        self, past: Past, world: World, sign_in: SignIn
    ) -> None:
        past.deployed(("succeed", 3), release=past.release(past.merge(5)), over=past.release())
        past.deployed(("fail", 2))
        browser = sign_in(world.viewer)
        query = "?since=2026-06-01&until=2026-06-30"
        page = browser.get(f"/deployments/figures/{query}").content.decode()
        assert "MC · web, live" in page and "50 %" in page and 'role="img"' in page and "from 1 June 2026" in page
        assert "web, live: half within 2 days" in page
        lines = browser.get(f"/deployments/figures.csv{query}").content.decode().splitlines()
        assert lines[1].startswith(
            '"all","all","all","2026-06-01","2026-06-30","1","0.2","1","0","0","50","1","172800"'
        )
        assert lines[2].startswith('"MC","web","live"')

    def test_others_projects_are_not_counted(self, past: Past, world: World, sign_in: SignIn) -> None:
        past.deployed(("succeed", 3))
        query = "?since=2026-06-01&until=2026-06-30"
        assert sign_in(world.outsider).get(f"/deployments/figures/{query}").context["report"].whole.live == 0
        assert "Nothing ended in these days" in sign_in(world.viewer).get(
            f"/deployments/figures/{query}&project=LAN"
        ).content.decode()  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("since=yesterday", "From is a day such as 2026-11-28, not “yesterday”."),
            ("since=2026-06-30&until=2026-06-01", "The first day is after the last."),
            ("since=2020-01-01&until=2026-06-01", "At most 366 days can be asked of."),
            ("service=" + "x" * 61, "At most 60 characters (you sent 61)."),
        ],
    )
    def test_what_cannot_be_read_is_said_and_left_out(
        self, world: World, sign_in: SignIn, query: str, said: str
    ) -> None:
        answer = sign_in(world.viewer).get(f"/deployments/figures/?{query}")
        assert answer.status_code == 200 and f"{said} This filter was left out." in answer.content.decode()

    def test_it_costs_few_statements(self, past: Past, world: World, sign_in: SignIn, counted: Counted) -> None:
        past.deployed(("succeed", 3))
        # session, user, roles, the numbers of the navigation, projects, the time, and the figures
        assert counted(sign_in(world.viewer), "/deployments/figures/?until=2026-06-30") <= 12
