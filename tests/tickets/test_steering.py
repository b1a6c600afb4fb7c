"""Agents that ask while they run, with Claude's protocol: allowed, denied, asked, too late, steered, deaf."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused
from tests.tickets.conversing import BASH, assigned, open_question, running, wait_for
from tests.tickets.workshop import Workshop, newest
from tickets import conversation, questions, work
from tickets.models import Delivery, Message, Question, Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)
BLOCKED = ["signal", "BLOCKED", "That is all."]


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


def output(ticket: Ticket, seq: int = 1) -> str:
    rows = ticket.turns.get(seq=seq).attempt.output.order_by("offset").values_list("text", flat=True)
    return "".join(rows)


def test_a_permission_is_asked_on_the_ticket_and_the_running_agent_is_told_the_answer(
    shop: Workshop, world: World
) -> None:
    ticket = assigned(shop, [["ask", *BASH], BLOCKED])
    with running():
        asked = open_question(ticket)
        ticket.refresh_from_db()
        assert (ticket.state, asked.live, asked.kind, asked.n) == ("running", True, "permission", 1)
        assert "`Bash`" in asked.text and "```\ntouch door\n```" in asked.text
        questions.answer(asked, by=world.operator, choice=questions.ALLOW, text="")
    asked.refresh_from_db()
    told = '{"behavior": "allow", "updatedInput": {"command": "touch door"}}'
    assert json.dumps(f"told {told}")[1:-1] in output(ticket)
    assert asked.delivered_at is not None
    assert (newest(ticket).state, Question.objects.count(), Message.objects.filter(author_kind="person").count()) == (
        "blocked",
        1,
        0,
    )


def test_who_denies_says_why_and_the_agent_goes_on(shop: Workshop, world: World) -> None:
    ticket = assigned(shop, [["ask", *BASH], BLOCKED])
    with running():
        questions.answer(open_question(ticket), by=world.operator, choice=None, text="Not the door.")
    assert "A person said: Not the door." in output(ticket)
    assert newest(ticket).state == "blocked"


def test_an_agent_that_waits_for_a_person_is_not_silent(shop: Workshop, world: World) -> None:
    ticket = assigned(shop, [["ask", *BASH], BLOCKED], silence_seconds=1)
    with running():
        asked = open_question(ticket)
        time.sleep(2)
        questions.answer(asked, by=world.operator, choice=questions.DENY, text="")
    assert newest(ticket).state == "blocked"


def test_what_was_allowed_for_the_rest_of_the_ticket_is_not_asked_again_and_anything_else_is(
    shop: Workshop, world: World
) -> None:
    other = ["Bash", {"command": "touch door && true"}]
    ticket = assigned(shop, [["ask", *BASH], ["ask", *BASH], ["ask", *other], BLOCKED])
    with running():
        first = open_question(ticket)
        questions.answer(first, by=world.operator, choice=questions.ALWAYS, text="")
        second = open_question(ticket, after=first.pk)
        assert second.n == 3 and "&& true" in second.text
        questions.answer(second, by=world.operator, choice=questions.DENY, text="")
    decided = Question.objects.get(n=2)
    assert (decided.state, decided.choice, decided.answered_label) == (
        "answered",
        questions.ALWAYS,
        f"{world.operator}, in turn 1",
    )
    assert output(ticket).count("allow") == 2


def test_a_question_to_a_person_is_answered_with_its_option(shop: Workshop, world: World) -> None:
    options = [{"label": "Front", "description": "of the house"}, {"label": "Back", "description": ""}]
    given = {"questions": [{"question": "Which door?", "options": options, "multiSelect": False}]}
    ticket = assigned(shop, [["ask", "AskUserQuestion", given], BLOCKED])
    with running():
        asked = open_question(ticket)
        assert (asked.kind, asked.text) == ("question", "Which door?")
        assert [option["label"] for option in asked.options] == ["Front", "Back"]
        questions.answer(asked, by=world.operator, choice=1, text="")
    assert json.dumps(json.dumps({"Which door?": "Back"}))[1:-1] in output(ticket)


def test_several_requests_at_once_are_asked_one_after_the_other(shop: Workshop, world: World) -> None:
    ticket = assigned(shop, [["ask_all", [BASH, ["Read", {"path": "a"}]]], BLOCKED])
    with running():
        first = open_question(ticket)
        questions.answer(first, by=world.operator, choice=questions.ALLOW, text="")
        second = open_question(ticket, after=first.pk)
        # What was answered is not answered once more by an answer to it that comes late.
        with pytest.raises(Refused, match="answered already"):
            questions.answer(first, by=world.operator, choice=questions.DENY, text="")
        questions.answer(second, by=world.operator, choice=questions.DENY, text="")
    said = output(ticket)
    assert (said.count("allow"), said.count("deny")) == (1, 1)


def test_when_nobody_answers_in_time_the_turn_ends_and_the_next_one_is_told(
    shop: Workshop, world: World, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"PERMISSION_WAIT_SECONDS": 1}
    ticket = assigned(shop, [["ask", *BASH], BLOCKED])
    with running():
        asked = open_question(ticket)
    ticket.refresh_from_db()
    asked.refresh_from_db()
    first = newest(ticket)
    assert (ticket.state, first.state, first.session_id) == ("needs_person", "needs_input", "asking-session")
    assert (asked.state, asked.live, "in time" in output(ticket)) == ("open", False, True)
    questions.answer(asked, by=world.operator, choice=questions.ALLOW, text="")
    with running():
        pass
    second = newest(ticket)
    assert (second.seq, second.resumed, second.state) == (2, True, "blocked")
    answer = Message.objects.get(author=world.operator)
    assert answer.body.startswith("Answer to turn 1: **Allow**")
    assert Delivery.objects.get(message=answer).turn_id == second.pk
    # It asks for the same again, and that was allowed.
    assert (Question.objects.count(), output(ticket, 2).count("allow")) == (2, 1)


def test_a_message_reaches_the_turn_that_runs_in_order_and_once(shop: Workshop, world: World, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    ticket = assigned(shop, [["keep", str(kept)], ["once", str(tmp_path / "x"), [["sleep", 1]]], BLOCKED])
    with running():
        wait_for(kept.exists)
        conversation.post(ticket, author=world.operator, body="Mind the hinge.")
        conversation.post(ticket, author=world.operator, body="And the lock.")
    turn = newest(ticket)
    assert (turn.state, ticket.turns.count()) == ("blocked", 1), "the last round's signal counts, and one alone"
    states = Delivery.objects.order_by("message__number").values_list("state", "turn")
    assert list(states) == [("acknowledged", turn.pk)] * 2
    said = kept.read_text()
    assert said.index("Mind the hinge.") < said.index("And the lock.")
    assert not conversation.waiting(ticket).exists()


def test_an_agent_that_reads_nothing_more_leaves_messages_waiting(shop: Workshop, world: World, tmp_path: Path) -> None:
    began = tmp_path / "began"
    ticket = assigned(shop, [["mark", str(began)], ["sleep", 2], BLOCKED, ["deaf"]])
    with running():
        wait_for(began.exists)
        conversation.post(ticket, author=world.operator, body="Mind the hinge.")
        wait_for(lambda: Delivery.objects.filter(state="taken").exists())
    assert newest(ticket).state == "blocked"
    assert [message.body for message in conversation.waiting(ticket)] == ["Mind the hinge."]


def test_a_live_question_is_set_aside_where_its_turn_is_stopped(shop: Workshop) -> None:
    ticket = assigned(shop, [["ask", *BASH], BLOCKED])
    with running():
        asked = open_question(ticket)
        work.stop(ticket, reason="Enough.")
    asked.refresh_from_db()
    assert (asked.state, newest(ticket).state) == ("set_aside", "stopped")
