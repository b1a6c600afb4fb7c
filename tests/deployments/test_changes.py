"""What a release brings over another and takes away: commits, tickets, findings, turns and what they cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments import changes, commits, release_page
from deployments.changes import Cost
from deployments.models import Deployment
from tests.deployments import build, pages
from tests.deployments.story import Story
from tests.signing_in import SignIn
from tests.tickets import build as tickets
from tests.tickets import repositories
from tests.tickets.repositories import person
from tickets.models import Merge, Turn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(world: World) -> Story:
    return Story(world.mc, world.reviewer)


def over(story: Story, release: Any, previous: Any, **told: Any) -> Any:
    made = build.deployment(
        story.project,
        service=story.service,
        environment=story.staging,
        release=release,
        previous=previous,
        changes=told,
    )
    return changes.of(Deployment.objects.select_related("release__service", "previous__service").get(pk=made.pk))


def test_it_brings_the_tickets_and_the_findings_that_what_stood_there_did_not_hold(story: Story) -> None:
    first, second = story.merged(), story.merged(story.other)
    found = over(story, story.release(first, second), story.release(first))
    assert [ticket.key for ticket in found.brings.tickets] == [story.other.key]
    assert [(finding.reference, finding.standing.word) for finding in found.brings.findings] == [("D-3", "fix present")]
    assert (found.goes_back, found.first, found.takes.merges) == (False, False, 0)


def test_going_back_takes_away_what_it_does_not_hold(story: Story) -> None:
    first, second = story.merged(), story.merged(story.other)
    older, newer = story.release(first), story.release(first, second)
    found = over(story, older, newer, over=newer.commit, commits=0, newest=[], gone=3)
    assert found.goes_back and found.gone.number == 3 and found.brings.merges == 0
    assert [ticket.key for ticket in found.takes.tickets] == [story.other.key]
    assert [finding.reference for finding in found.takes.findings] == ["D-3"]


def test_a_finding_that_both_fix_is_neither_brought_nor_taken(story: Story) -> None:
    """Each has its own commit of the fix."""
    first, second = story.merged(), story.merged(story.other)
    for finding in story.findings[:2]:
        finding.evidence.create(edge="commit", ref=second.merged_commit, strength="measured", by="Shiproom")
    found = over(story, story.release(second), story.release(first))
    assert found.brings.merges == found.takes.merges == 1
    assert [finding.reference for finding in found.brings.findings] == ["D-3"]
    assert found.takes.findings == []


def test_the_first_one_says_so_and_what_is_not_known_is_not_guessed(story: Story) -> None:
    release = story.release(story.merged())
    found = over(story, release, None)
    assert found.first and not found.known and found.commits.number is None and found.brings.number == 1
    build.deployment(
        story.project, "failed", service=story.service, environment=story.staging, started_at=story.fix.created_at
    )
    found = over(story, release, None)
    assert not found.first and not found.known


def test_commits_counted_over_what_stands_there_no_more_are_not_known(story: Story) -> None:
    release, previous = story.release(), story.release()
    assert over(story, release, previous, over=previous.commit, commits=4).commits.number == 4
    assert over(story, release, previous, over="f" * 40, commits=4).commits.number is None
    # As it was written before commits that are taken away were counted.
    assert over(story, release, previous, commits=4).commits.number == 4


def test_findings_that_were_found_since_are_counted(story: Story) -> None:
    known, new = story.findings[0].pk, story.findings[1].pk
    previous = build.release(story.service, open_findings=[known])
    assert over(story, build.release(story.service, open_findings=[known, new]), previous).found_since == 1


def spent(ticket: Any, at: datetime, **fields: Any) -> Turn:
    made = tickets.turn(ticket, seq=ticket.turns.count() + 1, head_commit="b" * 40, **fields)
    Turn.objects.filter(pk=made.pk).update(started_at=at)
    return made


def test_the_turns_of_a_ticket_cost_since_the_work_that_was_there_until_they_were_accepted(story: Story) -> None:
    ticket, began = tickets.ticket(story.project, "done"), story.fix.created_at
    hours = [began + timedelta(hours=n) for n in range(6)]
    first = tickets.merge(ticket, spent(ticket, hours[0], cost_usd=Decimal(8)), "merged", asked_at=hours[1])
    spent(ticket, hours[2], cost_usd=Decimal("0.5"), input_tokens=100, output_tokens=20)
    second = tickets.merge(ticket, spent(ticket, hours[3]), "merged", asked_at=hours[4], merged_commit="d" * 40)
    spent(ticket, hours[5], cost_usd=Decimal(9))
    both, one = story.release(first, second), story.release(first)
    assert over(story, both, one).brings.cost == Cost(turns=2, usd=Decimal("0.5"), tokens=120, untold=1)
    assert over(story, both, None).brings.cost == Cost(turns=3, usd=Decimal("8.5"), tokens=120, untold=1)


def test_what_is_more_than_is_shown_is_counted(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "TICKETS_SHOWN", 1)
    monkeypatch.setattr(changes, "FINDINGS_SHOWN", 1)
    both = story.release(story.merged(), story.merged(story.other))
    brings = over(story, both, story.release()).brings
    assert (len(brings.tickets), brings.number, len(brings.findings), brings.fixes, brings.cut) == (1, 2, 1, 3, False)
    monkeypatch.setattr(changes, "MERGES_READ", 1)
    assert over(story, both, story.release()).brings.cut


def test_statements_do_not_depend_on_how_much_there_is(story: Story) -> None:
    before = story.release()

    def costs() -> int:
        release = story.release(*Merge.objects.filter(state="merged"))
        with CaptureQueriesContext(connection) as told:
            changes.brought(release, before)
        return len(told)

    story.merged()
    few = costs()
    for n in range(4):
        ticket = tickets.ticket(story.project, "done")
        tickets.merge(ticket, tickets.turn(ticket, head_commit="b" * 40), "merged", merged_commit=f"{n}" * 40)
    assert costs() == few <= 7


# What git says ---------------------------------------------------------------------


def test_git_counts_both_ways_and_beside_other_environments(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "data").mkdir()
    repository = repositories.repository(tmp_path / "repository")
    project = repositories.project(repository)
    project.pk = 7
    tree, base = person(repository, "rev-parse", "HEAD^{tree}"), person(repository, "rev-parse", "HEAD")
    one = person(repository, "commit-tree", "-p", base, "-m", "One", tree)
    two = person(repository, "commit-tree", "-p", one, "-m", "Two", tree)
    side = person(repository, "commit-tree", "-p", base, "-m", "Side", tree)
    for name, commit in (("main", two), ("side", side)):
        person(repository, "update-ref", f"refs/heads/{name}", commit)
    ahead = commits.resolve(project, "main", before=base, elsewhere={side, "f" * 40, ""})
    assert (ahead.over, ahead.since, ahead.gone, ahead.beside) == (base, 2, 0, {side: [2, 1]})
    back = commits.resolve(project, base, before=two)
    assert (back.since, back.gone, [one["title"] for one in back.gone_newest]) == (0, 2, ["Two", "One"])
    gone = commits.resolve(project, "main", before="f" * 40)
    assert (gone.over, gone.since, gone.gone) == ("", 0, 0)


# On the pages ------------------------------------------------------------------------


@pytest.mark.pages
class TestPages:
    def test_the_page_says_first_and_then_what_is_taken_back(self, world: World, sign_in: SignIn) -> None:
        place, ticket = pages.place(world.mc), tickets.ticket(world.mc, "done", title="Oil the hinge")
        merge = tickets.merge(ticket, tickets.turn(ticket, head_commit="b" * 40, cost_usd=Decimal("1.25")), "merged")
        browser = sign_in(world.viewer)
        first = place.put(world.releaser, pages.COMMIT, merges=frozenset({merge.pk}))
        page = browser.get(first.get_absolute_url()).content.decode()
        assert "The first here" in page and "$1.25" in page and "1 turn" in page and ticket.key in page
        back = place.ask(world.releaser, pages.OLDER, gone=2)
        page = browser.get(back.get_absolute_url()).content.decode()
        assert "Goes back" in page and "2 commits, the work on 1 ticket." in page

    def test_a_release_tells_where_it_stood_and_what_it_takes_to_go_on(self, world: World, sign_in: SignIn) -> None:
        place = pages.place(world.mc, to="staging", place=1)
        build.environment(world.mc, "production", place=2, approvals_needed=2)
        release = pages.release_of(place.put(world.releaser))
        place.put(world.releaser, pages.COMMIT)
        browser = sign_in(world.releaser)
        answer = browser.get(release.get_absolute_url())
        (stay,) = answer.context["stays"].rows
        assert (stay.environment, stay.verified) == ("staging", True) and stay.until is not None
        page = answer.content.decode()
        assert "Deploy to production" in page and f"&amp;asked={pages.OLDER}" in page and "takes 2 approvals" in page
        assert "May ship" in page and "as the service’s is now" in page and "it is the first of its service" in page
        assert "Deploy to production" not in sign_in(world.viewer).get(release.get_absolute_url()).content.decode()

    def test_a_release_in_whose_way_something_stands_says_what(self, story: Story, world: World) -> None:
        from deployments import holds

        release = story.release()
        holds.hold_release(release, reason="It leaks.")
        holds.hold_environment(story.staging, reason="The audit.")
        staging, production = release_page.doors_of(release).rows
        assert (staging.now.said, staging.is_open) == ("Do not ship: 3 findings", False)
        assert staging.holds == ["The release is held: It leaks.", "staging is held: The audit."]
        assert production.holds == ["The release is held: It leaks."]
