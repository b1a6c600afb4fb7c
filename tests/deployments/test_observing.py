"""What was deployed is asked again by schedule: it is said when it is not that any more, and when it is again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import chains, matrix, needs, observing, rebuilding
from deployments.models import Observation, Placement
from portal.core.models import Activity, Notification
from portal.core.unit import unit_of_work
from reviews.models import Evidence
from tests.deployments import build
from tests.deployments.shipyard import Shipyard
from tests.deployments.story import Story
from workers import queue

if TYPE_CHECKING:
    from tests.factories import World

OTHER = "f" * 40


@pytest.fixture
def story(world: World, settings: Any) -> Story:
    settings.LIMITS = {**settings.LIMITS, "DEGRADED_ANSWERS": 2, "RECOVERED_ANSWERS": 2}
    made = Story(world.mc, world.reviewer)
    made.deployed(made.release(made.merged()), made.production)
    return made


def answered(story: Story, *answers: str) -> Placement:
    """It answered so, one after the other: ``right``, another commit, or nothing."""
    for said in answers:
        placement = story.standing(story.production)
        assert placement.release is not None
        reported = {"right": placement.release.commit, "": ""}.get(said, said)
        answer = {"right": said == "right", "status": 200 if said else 0, "reported": reported, "milliseconds": 3}
        answer |= {"detail": "" if said == "right" else f"reports {said[:9]}" if said else "no answer: refused"}
        asked = observing.Asked(placement.pk, placement.deployment_id, placement.release.commit, ["http://x"], [answer])
        with unit_of_work():
            observing.take(asked)
    return story.standing(story.production)


def told() -> list[str]:
    rows = Notification.objects.filter(verb__startswith="placement.").order_by("pk")
    return list(dict.fromkeys(rows.values_list("verb", flat=True)))


def test_equal_answers_are_one_row_and_another_is_another(story: Story) -> None:
    placement = answered(story, "right", "right", OTHER, "right")
    rows = list(Observation.objects.order_by("pk").values_list("right", "answers", "reported"))
    commit = placement.release.commit  # type: ignore[union-attr]
    assert rows == [(True, 2, commit), (False, 1, OTHER), (True, 1, commit)]
    assert (placement.right_in_a_row, placement.wrong_in_a_row, placement.degraded_at) == (1, 0, None)


def test_wrong_answers_in_a_row_are_said_once_and_so_are_right_ones_after_them(story: Story, world: World) -> None:
    assert answered(story, OTHER).verified_at is not None, "one wrong answer is none yet"
    ill = answered(story, OTHER, OTHER, OTHER)
    assert ill.degraded_at is not None and ill.verified_at is None
    assert ill.degraded_why.startswith("It reports fffffffff, and not ") and "by hand" in ill.degraded_why
    assert told() == ["placement.replaced"]
    assert Activity.objects.filter(verb="placement.degraded").count() == 1
    cells = [cell.look for row in matrix.tables([story.project])[0].rows for cell in row.cells]
    assert cells == ["nothing", "degraded"]
    assert [needs.degraded(projects).count() for projects in (None, {story.project.pk}, set())] == [1, 1, 0]
    assert answered(story, "right").degraded_at is not None
    well = answered(story, "right")
    assert (well.degraded_at, well.degraded_why, well.verified_at is not None) == (None, "", True)
    assert told() == ["placement.replaced", "placement.recovered"]


def test_another_commit_is_another_message_than_no_answer_also_where_it_comes_after(story: Story) -> None:
    assert answered(story, "", "").degraded_why == "It gives no answer: refused."
    assert told() == ["placement.degraded"]
    assert answered(story, OTHER).degraded_why == "It gives no answer: refused."
    assert answered(story, OTHER).degraded_why.startswith("It reports fffffffff")
    assert told() == ["placement.degraded", "placement.replaced"]


def test_what_is_not_well_is_live_and_verified_no_more_and_history_derives_the_same(story: Story) -> None:
    def edges() -> set[str]:
        return set(Evidence.objects.filter(finding=story.fix, place="web in production").values_list("edge", flat=True))

    assert edges() == {"deployment", "health"}
    answered(story, OTHER, OTHER)
    assert edges() == {"deployment"}
    assert [str(difference) for difference in rebuilding.look(story.project)] == []
    answer = next(one for one in chains.chain_of(story.fix).answers if one.environment == "production")
    assert (answer.word, "It reports fffffffff" in answer.sentence) == ("live", True)
    answered(story, "right", "right")
    assert edges() == {"deployment", "health"}
    assert [str(difference) for difference in rebuilding.look(story.project)] == []


def test_what_another_deployment_brings_begins_anew(story: Story) -> None:
    answered(story, OTHER, OTHER)
    story.deployed(story.release(), story.production)
    placement = story.standing(story.production)
    assert (placement.degraded_at, placement.wrong_in_a_row, placement.observed_at) == (None, 0, None)


def test_an_answer_that_a_deployment_overtook_counts_for_nothing(story: Story) -> None:
    build.deployment(story.project, "running", service=story.service, environment=story.production)
    assert answered(story, OTHER, OTHER).wrong_in_a_row == 0
    assert not Observation.objects.exists()


@pytest.mark.once
def test_of_many_addresses_each_has_to_be_right() -> None:
    asked = observing.Asked(1, 1, "c", ["a", "b"])
    asked.answers = [{"right": True}]
    assert asked.answer is None
    asked.answers = [{"right": True}, {"right": True, "n": 2}]
    assert asked.answer == {"right": True, "n": 2}
    asked.answers = [{"right": False}]
    assert asked.answer == {"right": False}


@pytest.mark.django_db(transaction=True)
def test_the_clock_asks_the_service_itself(yard: Shipyard) -> None:
    yard.service.pipeline.filter(kind__in=["command", "migrate"]).delete()
    shipped = yard.ask()
    dead = build.environment(yard.project, "dead", variables={"PORT": "1"})
    gone = build.deployment(yard.project, "succeeded", service=yard.service, environment=dead, release=shipped.release)
    build.step(gone, "succeeded", kind="health", url="http://127.0.0.1:1/", commit=shipped.commit)
    Placement.objects.create(
        service=yard.service, environment=dead, release=shipped.release, deployment=gone, since=shipped.ended_at
    )
    queue.enqueue(observing.OBSERVE_KIND)
    yard.drain("short")
    right, wrong = Observation.objects.order_by("-right")
    assert (right.right, right.reported, right.placement.environment.name) == (True, yard.head, "production")
    assert (wrong.right, wrong.status, wrong.placement.environment.name) == (False, 0, "dead")
    assert "no answer" in wrong.detail
