"""What a cell of the matrix says besides what stands there: whether it may ship today, how far behind it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments import allowed_now, judging, matrix, verdicts
from deployments.allowed_now import Now
from deployments.commits import Commit
from deployments.models import Policy, Verdict
from portal.core.clock import Wall
from reviews.models import Decision, Finding
from tests import factories
from tests.deployments import build, pages
from tests.deployments.story import Story
from tests.reviews.build import finding
from tests.tickets import build as tickets
from tickets.models import CheckRun

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(world: World) -> Story:
    return Story(world.mc, world.reviewer)


def now(story: Story, release: Any, environment: Any) -> Now:
    return allowed_now.of([(release, environment)])[release.pk, environment.pk]


class TestWhatMayShipToday:
    def test_it_is_what_the_gate_would_say_and_is_fresh_until_a_finding_changes(self, story: Story) -> None:
        release = story.release(story.merged())
        assert now(story, release, story.staging) == Now("do_not_ship", 1, False, None)
        Finding.objects.filter(reference="D-3").update(state="rejected")
        judging.keep(story.project, Commit(release.commit, merges=frozenset(release.merges)))
        assert now(story, release, story.staging) == Now("ship", 0, False, False)
        story.finding("D-9", None)
        assert now(story, release, story.staging) == Now("do_not_ship", 1, False, True)
        gate = verdicts.judge(story.project, release, environment=story.staging)
        assert (gate.answer, len(gate.blocking)) == ("do_not_ship", 1)

    def test_a_release_without_a_fix_that_is_elsewhere_ships_after(self, story: Story) -> None:
        Finding.objects.filter(reference="D-3").delete()
        without, fixed = story.release(), story.release(story.merged())
        assert now(story, without, story.staging) == Now("ship_after", 2, False, None)
        assert now(story, fixed, story.staging).go

    def test_a_verdict_whose_time_is_over_is_stale(self, story: Story) -> None:
        release = story.release()
        judging.keep(story.project, Commit(release.commit))
        assert now(story, release, story.staging).stale is False
        Verdict.objects.update(valid_until=Wall(-1))
        assert now(story, release, story.staging).stale is True

    def test_what_is_waived_in_one_environment_holds_in_the_others(self, story: Story) -> None:
        release = story.release()
        for held in Finding.objects.all():
            Decision.objects.create(
                finding=held, kind="waive", state="in_force", scope="staging", reason="Until spring.",
                until=story.fix.created_at + timedelta(days=7), asked_label="ann", given_label="bob",
            )  # fmt: skip
        judging.keep(story.project, Commit(release.commit))
        asked = [(release, story.staging), (release, story.production)]
        found = allowed_now.of(asked)
        # Judged for a merge, where nothing is waived: for the environment with waivers it is no older.
        assert found[release.pk, story.staging.pk] == Now("ship", 0, False, False)
        assert found[release.pk, story.production.pk] == Now("do_not_ship", 3, False, False)

    def test_a_policy_that_asks_for_checks_asks_for_those_of_the_very_commit(self, story: Story) -> None:
        Finding.objects.all().delete()
        Policy.objects.create(project=story.project, number=1, severities=["critical"], checks=True)
        merge = story.merged(commit="ab" * 20)
        release = build.release(story.service, "ab" * 20, merges=[merge.pk])
        assert now(story, release, story.staging) == Now("do_not_ship", 0, True, None)
        CheckRun.objects.create(attempt=merge.attempt, n=1, command=["make"], outcome="passed", seconds=1)
        assert now(story, release, story.staging).go
        assert now(story, release, story.staging).said == "May ship"

    def test_too_much_to_look_at_is_said_and_what_was_read_whole_is_judged(
        self, story: Story, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lan = factories.project("LAN")
        finding(lan)
        monkeypatch.setattr(allowed_now, "FINDINGS_READ", 3)
        theirs = build.release(build.service(lan)), build.environment(lan)
        found = allowed_now.of([(story.release(), story.staging), theirs])
        assert [one.said for one in found.values()] == ["Do not ship: 3 findings", "Not looked at"]

    def test_many_cost_as_many_statements_as_one(self, story: Story) -> None:
        merge = story.merged()

        def costs(number: int) -> int:
            asked = [(story.release(merge), build.environment(story.project)) for _ in range(number)]
            with CaptureQueriesContext(
                connection,
            ) as told:
                allowed_now.of(asked)
            return len(told)

        assert costs(1) == costs(8) <= 7


class TestHowFarBehind:
    @pytest.fixture
    def places(self, world: World) -> tuple[pages.Place, pages.Place]:
        staging = pages.place(world.mc, "web", "staging", place=1)
        return staging, pages.Place(world.mc, staging.service, build.environment(
            world.mc, "production", place=2, variables={"PORT": "8001"}))  # fmt: skip

    def behind(self, world: World) -> Any:
        (table,) = matrix.tables([world.mc])
        return table.rows[0].cells[1].behind

    def test_the_same_release_is_not_behind(self, places: Any, world: World) -> None:
        for place in places:
            place.put(world.releaser)
        assert self.behind(world) is None

    def test_commits_are_counted_when_either_is_prepared(self, places: Any, world: World) -> None:
        staging, production = places
        production.put(world.releaser)
        staging.put(world.releaser, pages.COMMIT, beside={pages.OLDER: [3, 0]})
        assert self.behind(world).said == "3 commits behind staging"
        production.put(world.releaser, "7" * 40, beside={pages.COMMIT: [2, 4]})
        assert self.behind(world).said == "4 commits behind, 2 ahead of staging"

    def test_what_was_not_counted_is_not_guessed(self, places: Any, world: World) -> None:
        staging, production = places
        production.put(world.releaser)
        staging.put(world.releaser, pages.COMMIT)
        found = self.behind(world)
        assert (found.commits, found.said) == (None, "1 release behind staging")
        assert found.detail == "Behind web-2: commits not counted, 0 tickets, 1 release."

    def test_accepted_work_that_is_missing_is_counted_in_tickets(self, places: Any, world: World) -> None:
        staging, production = places
        ticket = tickets.ticket(world.mc, "done")
        merge = tickets.merge(ticket, tickets.turn(ticket, head_commit="b" * 40), "merged")
        staging.put(world.releaser, pages.COMMIT, merges=frozenset({merge.pk}))
        production.put(world.releaser)
        assert self.behind(world).said == "1 ticket behind staging"
