"""Evidence derived again: the stored rows follow from what happened; what somebody damaged is found and mended."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments import rebuilding
from portal.core.guard.commands import EXEMPT
from portal.core.models import Activity
from reviews import evidence
from reviews.models import Evidence, Finding
from tests import factories
from tests.deployments.story import Story

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(world: World) -> Story:
    return Story(world.mc, world.reviewer)


def rows() -> list[tuple[Any, ...]]:
    names = ("finding", "edge", "ref", "place", "strength", "detail", "by")
    return sorted(Evidence.objects.values_list(*names))


def look(story: Story) -> list[str]:
    return [str(difference) for difference in rebuilding.look(story.project)]


def command(*options: str) -> tuple[int, list[str]]:
    said, code = StringIO(), 0
    try:
        call_command("rebuild_evidence", *options, stdout=said)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, said.getvalue().splitlines()


# Whatever happens -----------------------------------------------------------------


class Player:
    """Does what a list of events says, as far as it can be done then."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.merges: list[Any] = []
        self.releases: list[Any] = []

    def play(self, event: str, choice: int, flag: bool) -> None:
        story = self.story
        ticket = story.other if choice % 3 == 2 else story.ticket
        place = story.production if choice % 2 else story.staging
        done = story._now(ticket).state == "done"
        if event == "turn" and not done:
            story.turn(ticket, proven=flag)
        elif event == "merge" and not done:
            # Work that was reopened and accepted unchanged is recognised: the commit is the one from before.
            before = [merge.merged_commit for merge in self.merges if merge.ticket_id == ticket.pk]
            self.merges.append(story.merged(ticket, commit=before[-1] if before and flag else ""))
        elif event == "reopen" and done:
            story.reopened(ticket)
        elif event == "release":
            some = [merge for n, merge in enumerate(self.merges) if choice >> (n % 4) & 1]
            self.releases.append(story.release(*some))
        elif event == "link":
            story.linked(f"L-{Finding.objects.count()}", ticket)
        elif event == "grow" and self.releases and self.merges:
            story.grown(self.releases[choice % len(self.releases)], self.merges[-1])
        elif event == "back" and story.can_go_back(place):
            story.rolled_back(place, verified=flag)
        elif event in {"deploy", "fail"} and self.releases:
            release = self.releases[choice % len(self.releases)]
            if event == "deploy":
                story.deployed(release, place, verified=flag if choice % 5 else None)
            else:
                story.failed(release, place, touched=flag)


EVENTS = ("turn", "merge", "merge", "reopen", "release", "deploy", "deploy", "deploy", "fail", "back", "grow", "link")
MOVES = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 15), st.booleans()), min_size=3, max_size=10)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_whatever_happens_the_stored_rows_are_those_that_follow_from_it(world: World, moves: list[Any]) -> None:
    with transaction.atomic():
        player = Player(Story(world.mc, world.reviewer))
        for move in [("merge", 0, False), ("release", 15, True), ("deploy", 1, True), *moves]:
            player.play(*move)
            assert look(player.story) == [], move
            held = Evidence.objects.filter(edge="deployment").values_list("finding", flat=True)
            assert set(held) <= set(Evidence.objects.filter(edge="commit").values_list("finding", flat=True))
            assert set(Evidence.objects.filter(edge="health").values_list("finding", "place")) <= set(
                Evidence.objects.filter(edge="deployment").values_list("finding", "place")
            )
        transaction.set_rollback(True)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, damage=st.data())
def test_rows_that_were_damaged_are_found_and_mended(world: World, moves: list[Any], damage: st.DataObject) -> None:
    with transaction.atomic():
        player = Player(Story(world.mc, world.reviewer))
        for move in [("merge", 0, False), ("release", 15, True), ("deploy", 1, True), *moves]:
            player.play(*move)
        before = rows()
        known = list(Evidence.objects.order_by("pk"))
        harmed = 0
        for row in damage.draw(st.lists(st.sampled_from(known), unique_by=lambda row: row.pk)) if known else []:
            harmed += _damage(row, damage.draw(st.sampled_from(WAYS)))
        assert len(look(player.story)) == harmed
        mended = list(rebuilding.mend(player.story.project))
        assert len(mended) == harmed
        assert rows() == before
        assert look(player.story) == []
        transaction.set_rollback(True)


WAYS = ("delete", "strength", "detail", "by", "place", "at", "invent")


def _damage(row: Evidence, way: str) -> int:
    """How many differences it makes."""
    mine = Evidence.objects.filter(pk=row.pk)
    if way == "delete":
        mine.delete()
    elif way == "at":
        mine.update(at=row.at - timedelta(hours=1))
    elif way == "strength":
        mine.update(strength="confirmed" if row.strength != "confirmed" else "claimed")
    elif way == "invent":
        Evidence.objects.create(finding=row.finding, edge=row.edge, ref=f"0{row.ref}"[:200], strength="claimed", by="x")
    else:
        mine.update(**{way: f"{getattr(row, way)}!"})
    return 1


# One by one -----------------------------------------------------------------------


def test_a_fix_is_live_with_the_first_deployment_and_verified_with_the_first_that_reported(story: Story) -> None:
    release = story.release(story.merged())
    first = story.deployed(release, story.production, verified=None)
    second = story.deployed(release, story.production)
    far = story.fix.evidence.exclude(edge__in=["turn", "commit"]).order_by("pk")
    assert [(row.edge, row.ref, row.place) for row in far] == [
        ("deployment", str(first.pk), "web in production"),
        ("release", "web-1", ""),
        ("health", str(second.pk), "web in production"),
    ]


def test_a_rollback_takes_back_what_the_release_before_does_not_hold_and_keeps_what_it_holds(story: Story) -> None:
    old = story.release(story.merged(story.other))
    story.deployed(old, story.production)
    new = story.release(*_merges(story), story.merged())
    story.deployed(new, story.production)
    assert evidence.standing(story.fix) == "verified live"
    back = story.rolled_back(story.production)
    assert evidence.standing(story.fix) == "fix present"
    kept = story.findings[2].evidence.get(edge="deployment")
    assert int(kept.ref) < back.pk
    taken = Activity.objects.filter(subject=story.fix.subject, verb="finding.evidence_withdrawn")
    assert {row.before["edge"] for row in taken} == {"release", "deployment", "health"}
    assert {row.reason for row in taken} == {
        f"Deployment {back.pk} was rolled back: web-1 stands there (web in production)."
    }


def _merges(story: Story) -> list[Any]:
    return [merge for ticket in (story.ticket, story.other) for merge in ticket.merges.all()]


def test_what_comes_back_by_a_rollback_says_so(story: Story) -> None:
    holds = story.release(story.merged())
    story.deployed(holds, story.production)
    without = story.release()
    story.deployed(without, story.production)
    assert evidence.standing(story.fix) == "fix present"
    back = story.rolled_back(story.production, verified=False)
    row = story.fix.evidence.get(edge="deployment")
    assert (row.ref, row.detail) == (str(back.pk), f"Deployment {back.pk} was rolled back to web-1.")
    assert story.fix.evidence.get(edge="release").ref == "web-1"
    assert look(story) == []


def test_after_a_failure_nothing_is_known_to_be_live(story: Story) -> None:
    release = story.release(story.merged())
    story.deployed(release, story.production)
    story.deployed(release, story.staging)
    story.failed(release, story.production)
    assert story.fix.evidence.get(edge="deployment").place == "web in staging"
    assert look(story) == []


def test_work_that_is_accepted_again_unchanged_is_live_where_its_commit_stands(story: Story) -> None:
    merge = story.merged()
    first = story.deployed(story.release(merge), story.production)
    story.reopened()
    assert evidence.standing(story.fix) == "open"
    assert not story.fix.evidence.exists()
    story.merged(commit=merge.merged_commit)
    assert story.fix.evidence.get(edge="health").ref == str(first.pk)
    assert evidence.standing(story.fix) == "verified live"


def test_work_that_is_found_later_in_what_stands_there_is_live(story: Story) -> None:
    release = story.release()
    story.deployed(release, story.production)
    merge = story.merged()
    assert evidence.standing(story.fix) == "fix present"
    story.grown(release, merge)
    assert evidence.standing(story.fix) == "verified live"
    assert look(story) == []


def test_a_finding_takes_over_what_its_ticket_did_before(story: Story) -> None:
    story.deployed(story.release(story.merged()), story.production)
    late = story.linked("D-9")
    assert set(late.evidence.values_list("edge", flat=True)) == {"turn", "commit", "release", "deployment", "health"}
    assert evidence.standing(late) == "open"
    assert look(story) == []


def test_the_words_of_a_person_are_those_that_they_had_then(story: Story, world: World) -> None:
    story.merged()
    type(world.reviewer).objects.filter(pk=world.reviewer.pk).update(name="Another")
    assert look(story) == []


# The command ----------------------------------------------------------------------


def test_the_command_says_that_all_is_well(story: Story) -> None:
    story.deployed(story.release(story.merged()), story.production)
    number = Evidence.objects.count()
    assert command("--check") == (0, [f"Looked: 0 differences, {number} rows in 1 project."])
    assert command() == (0, [f"Rebuilt: 0 differences, {number} rows in 1 project."])


def test_check_prints_each_difference_and_writes_nothing(story: Story) -> None:
    story.deployed(story.release(story.merged()), story.production)
    Evidence.objects.filter(finding=story.fix, edge="commit").update(strength="claimed", by="nobody")
    Evidence.objects.filter(finding=story.findings[1], edge="turn").delete()
    Evidence.objects.create(finding=story.findings[2], edge="health", ref="99", strength="confirmed", by="x")
    number, before = Activity.objects.count(), rows()
    code, lines = command("--check", "--project", "mc")
    assert code == 1
    commit = story.fix.evidence.get(edge="commit").ref
    assert sorted(lines) == sorted(
        [
            f"MC: Finding {story.fix.pk} (D-1): commit {commit} has another strength, by.",
            f"MC: Finding {story.findings[1].pk} (D-2): turn {story.ticket.key}/1 is missing.",
            f"MC: Finding {story.findings[2].pk} (D-3): health 99 is stored, and nothing that happened gives it.",
            f"Looked: 3 differences, {len(before)} rows in 1 project.",
        ]
    )
    assert (Activity.objects.count(), rows()) == (number, before)


def test_the_command_mends_and_history_tells_it(story: Story) -> None:
    story.deployed(story.release(story.merged()), story.production)
    before = rows()
    Evidence.objects.filter(finding=story.fix, edge="commit").delete()
    Evidence.objects.create(finding=story.fix, edge="health", ref="99", strength="confirmed", by="x")
    code, lines = command()
    assert (code, lines[-1]) == (0, f"Rebuilt: 2 differences, {len(before)} rows in 1 project.")
    assert rows() == before
    written, taken = (
        Activity.objects.filter(subject=story.fix.subject, verb=verb).latest("pk")
        for verb in ("finding.evidence", "finding.evidence_withdrawn")
    )
    assert (written.actor_label, written.after["edge"]) == ("manage.py rebuild_evidence", "commit")
    assert (taken.before["ref"], taken.reason) == ("99", rebuilding.REASON)


def test_it_is_of_all_projects_or_of_one(story: Story, world: World) -> None:
    other = Story(factories.project("XX", "Another"), world.reviewer)
    other.merged()
    Evidence.objects.filter(finding=other.fix).delete()
    assert command("--check", "--project", "MC")[0] == 0
    code, lines = command("--check")
    assert (code, [line[:3] for line in lines[:-1]]) == (1, ["XX:"] * 2)


def test_a_project_that_is_not_there_is_said(db: None) -> None:
    with pytest.raises(CommandError, match="There is no project 'ZZ'"):
        call_command("rebuild_evidence", "--project", "zz")


def test_it_stands_behind_the_guard_and_looks_at_many_findings_in_parts(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "rebuild_evidence" not in EXEMPT
    story.merged()
    Evidence.objects.all().delete()
    monkeypatch.setattr(rebuilding, "FINDINGS_AT_ONCE", 1)
    assert len(look(story)) == 4
    assert len(list(rebuilding.mend(story.project))) == 4
    assert look(story) == []


def test_its_queries_do_not_grow_with_the_findings(story: Story, django_assert_max_num_queries: Any) -> None:
    merge = story.merged()
    for n in range(30):
        story.linked(f"M-{n}")
    story.deployed(story.release(merge), story.production)
    with django_assert_max_num_queries(30):
        assert look(story) == []
