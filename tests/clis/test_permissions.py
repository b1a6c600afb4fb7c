"""Claude Code asks while it runs, by its own protocol, and people answer on the ticket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clis import profiles
from tests.clis.benches import Bench, ended, output, wait
from tests.factories import World
from tests.tickets.workshop import newest
from tickets import conversation, questions
from tickets.models import Question, Ticket
from workers.agents.adapters.launches import CLAUDE

pytestmark = [
    *(pytest.mark.cli, pytest.mark.processes, pytest.mark.timeout(180)),
    pytest.mark.parametrize("bench", ["claude-plain", "claude-box"], indirect=True),
]
# Claude Code lets some commands pass that only read; these are not among them.
COMMIT = "echo oiled > door.txt && git add door.txt && git -c user.name=A -c user.email=a@example.org commit -qm Oil"
DONE = ["signal", "DONE", "The door is oiled."]


def asking(bench: Bench, *steps: list[Any], turns: dict[int, list[list[Any]]] | None = None, **changes: Any) -> Ticket:
    profile = profiles.claude_with(*CLAUDE.asking)
    return bench.given({1: list(steps), **(turns or {})}, **{**profile, **changes})


def open_question(ticket: Ticket) -> Question:
    rows = Question.objects.filter(ticket=ticket, state="open").select_related("turn", "ticket__project")
    wait("the question", rows.exists)
    found: Question = rows.get()
    return found


def test_what_a_person_allows_is_done(bench: Bench, world: World) -> None:
    ticket = asking(bench, ["shell", COMMIT], DONE)
    asked = open_question(ticket)
    ticket.refresh_from_db()
    assert (ticket.state, asked.live, asked.kind, COMMIT in asked.text) == ("running", True, "permission", True)
    questions.answer(asked, by=world.operator, choice=questions.ALLOW, text="")
    ended(ticket)
    turn = newest(ticket)
    assert (ticket.state, turn.proven) == ("in_review", True), (turn.verdict, output(ticket))
    asked.refresh_from_db()
    assert asked.delivered_at is not None


def test_what_a_person_denies_is_not_done_and_its_model_is_told_why(bench: Bench, world: World) -> None:
    ticket = asking(bench, ["shell", COMMIT], DONE)
    questions.answer(open_question(ticket), by=world.operator, choice=None, text="Not the front door.")
    ended(ticket)
    assert ticket.state == "unproven", (newest(ticket).verdict, output(ticket))
    assert "Not the front door." in bench.api.of(ticket.key)[-1].text


def test_its_question_to_a_person_is_answered_with_an_option(bench: Bench, world: World) -> None:
    options = [{"label": "Front", "description": "of the house"}, {"label": "Back", "description": "to the yard"}]
    given = {"questions": [{"question": "Which door?", "header": "Door", "options": options, "multiSelect": False}]}
    ticket = asking(bench, ["tool", "AskUserQuestion", given], DONE)
    asked = open_question(ticket)
    assert (asked.kind, asked.text) == ("question", "Which door?")
    questions.answer(asked, by=world.operator, choice=1, text="")
    ended(ticket)
    assert ticket.state == "unproven", (newest(ticket).verdict, output(ticket))
    assert "Back" in bench.api.of(ticket.key)[-1].text.rpartition("result: ")[2]


def test_a_message_reaches_it_while_it_runs(bench: Bench, world: World) -> None:
    ticket = asking(bench, ["shell", COMMIT], DONE)
    asked = open_question(ticket)
    conversation.post(ticket, author=world.operator, body="And mind the cat.")
    questions.answer(asked, by=world.operator, choice=questions.ALLOW, text="")
    ended(ticket)
    turn = newest(ticket)
    assert (ticket.state, ticket.turns.count()) == ("in_review", 1), (turn.verdict, output(ticket))
    assert "And mind the cat." in bench.api.of(ticket.key)[-1].text
    assert turn.deliveries.get().state == "acknowledged"
