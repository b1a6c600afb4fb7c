"""Who is told what of a ticket: those who take part in it and still see its project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import cause
from portal.core.cause import Actor
from portal.core.models import Notification, User
from portal.core.unit import unit_of_work
from tests.tickets import asking, build
from tests.tickets.workshop import GOOD, Steps, Workshop
from tickets import conversation, merging, questions, telling, turns, work
from tickets.models import Membership, Merge, Ticket
from workers.kinds import Ending
from workers.models import Job, Outcome

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def told(user: User) -> list[tuple[str, str, str]]:
    rows = Notification.objects.filter(user=user).order_by("at", "id")
    return [(row.verb, row.title, row.url) for row in rows]


def by(user: User) -> Any:
    return cause.acting(Actor("user", str(user.pk), str(user)))


def opened(world: World, title: str = "Oil the door") -> Ticket:
    """A ticket that the operator opened and the reviewer wrote on."""
    with by(world.operator):
        ticket = work.create_ticket(world.mc, title=title)
    conversation.post(ticket, author=world.reviewer, body="It squeaks.")
    Notification.objects.all().delete()
    return ticket


class TestPeople:
    def test_those_who_opened_moved_or_wrote_take_part(self, world: World) -> None:
        ticket = opened(world)
        build.agent()
        build.repository(world.mc)
        with by(world.owner):
            work.assign(ticket, build.agent("other"))
        assert telling.participants(ticket) == {world.operator.pk, world.reviewer.pk, world.owner.pk}

    def test_who_left_the_project_or_was_switched_off_does_not(self, world: World) -> None:
        ticket = opened(world)
        Membership.objects.filter(user=world.operator).delete()
        User.objects.filter(pk=world.reviewer.pk).update(is_active=False)
        assert telling.participants(ticket) == set()
        User.objects.filter(pk=world.operator.pk).update(is_superuser=True)
        assert telling.participants(ticket) == {world.operator.pk}


class TestMessages:
    def test_the_others_are_told_and_not_the_words(self, world: World) -> None:
        ticket = opened(world)
        conversation.post(ticket, author=world.owner, body="Nobody else should read this twice.", internal=True)
        line = ("message.posted", f"Owner wrote on {ticket.key}: Oil the door", f"/tickets/{ticket.key}/#m2")
        assert told(world.operator) == told(world.reviewer) == [line]
        assert told(world.owner) == [] and told(world.viewer) == []

    def test_a_message_sent_twice_is_told_once(self, world: World) -> None:
        ticket = opened(world)
        for _ in range(2):
            conversation.post(ticket, author=world.owner, body="Well?", idempotency_key="k")
        Notification.objects.update(read_at=Notification.objects.latest("at").at)
        conversation.post(ticket, author=world.owner, body="Well?", idempotency_key="k")
        assert len(told(world.operator)) == 1


class TestQuestions:
    def test_a_question_is_told_with_its_words_and_leads_to_its_form(self, world: World) -> None:
        question = asking.ask(world.mc)
        conversation.post(question.ticket, author=world.reviewer, body="I follow this.")
        asking.again(question.ticket, "Which *door*?", seq=4)
        url = f"{question.ticket.get_absolute_url()}#question"
        assert told(world.reviewer) == [
            ("question.asked", f"claude-dev asks on {question.ticket.key}: Which *door*?", url)
        ]

    def test_an_answer_is_told_as_what_was_written(self, world: World) -> None:
        question = asking.ask(world.mc)
        conversation.post(question.ticket, author=world.reviewer, body="I follow this.")
        questions.answer(question, by=world.operator, choice=0, text="")
        assert [verb for verb, _, _ in told(world.reviewer)] == ["message.posted"]


def ended(ticket: Ticket, outcome: Outcome, *, final: bool = True) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(state="running")
    job = Job.objects.create(kind="turn", pool="turns", subject=ticket.subject, state="dead")
    with unit_of_work():
        payload = {"ticket": ticket.pk, "agent_version": 0}
        turns.settle(Ending(job.pk, None, ticket.subject, payload, outcome, "It died.", final, None))


class TestTurns:
    def test_a_dead_turn_is_told_and_one_that_goes_again_is_not(self, world: World) -> None:
        ticket = opened(world)
        ended(ticket, Outcome.LOST, final=False)
        assert told(world.operator) == []
        ended(ticket, Outcome.LOST)
        line = ("ticket.fail", f"{ticket.key} failed: Oil the door", f"/tickets/{ticket.key}/")
        assert told(world.operator) == told(world.reviewer) == [line]

    def test_a_stopped_turn_is_not_told(self, world: World) -> None:
        ticket = opened(world)
        ended(ticket, Outcome.CANCELLED)
        assert told(world.operator) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("steps", "verb", "words"),
    [
        (GOOD, "ticket.submit", "waits to be accepted"),
        ([["signal", "DONE", "All is well."]], "ticket.leave_unproven", "is unproven"),
        ([["signal", "BLOCKED", "No oil."]], "ticket.block", "is blocked"),
        ([["signal", "FAILED", "It fell."]], "ticket.fail", "failed"),
        ([["signal", "NEEDS_INPUT", "Which oil?"]], "question.asked", "mender asks"),
    ],
)
def test_how_a_turn_ended_is_told_once(
    world: World, tmp_path: Path, settings: Any, steps: Steps, verb: str, words: str
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    shop = Workshop(world.mc, tmp_path)
    ticket = opened(world)
    shop.turn(ticket, steps)
    (line,) = told(world.operator)
    assert line[0] == verb and words in line[1] and ticket.key in line[1]
    assert Notification.objects.filter(user=world.operator).get().scope == world.mc.scope


class TestMerges:
    def merge(self, world: World) -> Merge:
        ticket = build.ticket(world.mc, "merging", title="Oil the door")
        return build.merge(ticket, build.turn(ticket, head_commit=build.HEAD), accepted_by=world.reviewer)

    def test_work_that_comes_back_is_told_to_who_accepted_it(self, world: World) -> None:
        merge = self.merge(world)
        with unit_of_work():
            merging.settle(_ending(merge, merging.SentBack("It conflicts.\n\n- `a.py`"), Outcome.SUCCEEDED))
        (line,) = told(world.reviewer)
        assert line == (
            "merge.came_back",
            f"{merge.ticket.key} was not merged. It conflicts.",
            f"/tickets/{merge.ticket.key}/",
        )
        assert Notification.objects.count() == 1

    def test_a_merge_that_failed_is_told_too_and_one_that_goes_again_is_not(self, world: World) -> None:
        merge = self.merge(world)
        with unit_of_work():
            merging.settle(_ending(merge, None, Outcome.FAILED, final=False))
        assert told(world.reviewer) == []
        with unit_of_work():
            merging.settle(_ending(merge, None, Outcome.FAILED))
        (line,) = told(world.reviewer)
        assert line[1] == f"{merge.ticket.key} was not merged. The disk is full."


def _ending(merge: Merge, result: Any, outcome: Outcome, *, final: bool = True) -> Ending:
    error = "" if result else "The disk is full."
    return Ending(0, None, merge.ticket.subject, {"merge": merge.pk}, outcome, error, final, result)
