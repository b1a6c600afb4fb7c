"""Each command line at tickets: it answers, commits, asks and goes on, fails with its provider, uses the tools."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clis.benches import Bench, ended, output, wait
from tests.factories import World
from tests.tickets.workshop import newest
from tickets import questions, work
from tickets.models import Message, Question
from workers.models import Job

pytestmark = [pytest.mark.cli, pytest.mark.processes, pytest.mark.timeout(180)]
COMMIT = "echo oiled > door.txt && git add door.txt && git -c user.name=A -c user.email=a@example.org commit -qm Oil"
DONE = ["signal", "DONE", "The door is oiled."]
# How often each asks a model that refuses, in one turn, as the profile has it.
TRIES = {"claude": 3, "codex": 6, "goose": 4}


def test_a_plain_done_is_read_and_is_unproven(bench: Bench) -> None:
    ticket = ended(bench.given({1: [DONE]}))
    turn = newest(ticket)
    assert (ticket.state, turn.state, turn.payload) == ("unproven", "done", DONE[2]), (turn.verdict, output(ticket))
    assert (turn.input_tokens, turn.output_tokens) != (None, None)
    assert turn.session_id
    assert turn.program


def test_a_commit_by_its_shell_is_seen_and_proven(bench: Bench) -> None:
    ticket = ended(bench.given({1: [["shell", COMMIT], DONE]}))
    turn = newest(ticket)
    assert (ticket.state, turn.proven) == ("in_review", True), (turn.verdict, output(ticket))
    assert turn.measurement.commits[0]["subject"] == "Oil"
    assert len(bench.api.of(ticket.key)) == 2


def test_what_it_asks_is_answered_into_the_same_session(bench: Bench, world: World) -> None:
    ask = {"question": "Which door?", "options": ["Front", "Back"]}
    ticket = ended(bench.given({1: [["signal", "NEEDS_INPUT", ask]], 2: [["shell", COMMIT], DONE]}))
    assert ticket.state == "needs_person", (newest(ticket).verdict, output(ticket))
    question = Question.objects.get(ticket=ticket)
    assert (question.text, [option["label"] for option in question.options]) == ("Which door?", ["Front", "Back"])
    questions.answer(question, by=world.operator, choice=1, text="Mind the cat.")
    ended(ticket)
    first, second = ticket.turns.order_by("seq")
    assert (ticket.state, second.resumed, second.proven) == ("in_review", True, True), (
        second.verdict,
        output(ticket, 2),
    )
    assert second.session_id == first.session_id
    asked = bench.api.of(ticket.key, 2)[0].text
    assert "Mind the cat." in asked
    assert first.nonce in asked and '"mc_signal": "NEEDS_INPUT"' in asked, "the session carries its history"
    assert second.input_tokens and second.input_tokens <= 3 * (first.input_tokens or 0), "no turn is booked twice"


@pytest.mark.parametrize("status", [401, 429])
def test_when_its_provider_refuses_the_ticket_says_so_and_nobody_storms(bench: Bench, status: int) -> None:
    ticket = bench.given({1: [["fail", status]], 2: [["fail", status]]})
    if status == 429:
        # It goes again by itself, later.
        wait("the first end", lambda: ticket.turns.filter(state="failed").exists(), 100)
        ticket.refresh_from_db()
    else:
        ended(ticket, "failed", seconds=100)
    turn = newest(ticket)
    assert (turn.seq, turn.state, str(status) in turn.verdict) == (1, "failed", True), (turn.verdict, output(ticket))
    assert len(bench.api.of(ticket.key)) <= TRIES[bench.name]
    if status == 429:
        job = Job.objects.get(subject=ticket.subject)
        assert (ticket.state, job.state) == ("queued", "queued"), turn.verdict
        work.stop(ticket, reason="It is known now.")


def test_the_tools_of_the_portal_are_used(bench: Bench) -> None:
    steps: list[list[Any]] = [
        ["tool", "get_ticket", {}],
        ["tool", "post_message", {"body": "By a tool."}],
        ["shell", COMMIT],
        ["tool", "finish", {"signal": "DONE", "payload": "Finished by a tool."}],
        ["say", "That is all."],
    ]
    ticket = ended(bench.given({1: steps}, tools=True))
    turn = newest(ticket)
    asked = bench.api.of(ticket.key)
    assert (ticket.state, turn.proven) == ("in_review", True), (turn.verdict, output(ticket), asked[-1].text[-3000:])
    assert turn.signal_payload == "Finished by a tool."
    assert Message.objects.filter(ticket=ticket, body="By a tool.").exists()
    assert f'"key":"{ticket.key}"' in asked[1].text.replace(" ", "").replace("\\", "")
