"""What an agent is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import redaction
from tickets import prompts
from tickets.models import Project, Ticket, Turn
from workers.agents.adapters.events import Signal
from workers.agents.adapters.plain import PlainAdapter

pytestmark = pytest.mark.once

NONCE = "MC_TICKET_TURN:1:1:0123456789abcdef0123456789abcdef"


def told(title: str = "A title", body: str = "A body") -> str:
    ticket = Ticket(project=Project(key="MC"), number=1, key="MC-1", title=title, body=body)
    return prompts.compose(ticket, Turn(ticket=ticket, seq=1, nonce=NONCE))


def signals(text: str) -> list[Signal]:
    adapter = PlainAdapter(NONCE, "MC-1")
    events = [*adapter.feed(text.encode() + b"\n"), *adapter.finish()]
    return [event for event in events if isinstance(event, Signal)]


def test_a_prompt_printed_again_is_no_signal() -> None:
    assert signals(told()) == []
    real = json.dumps({"mc_signal": "DONE", "ticket": "MC-1", "nonce": NONCE, "payload": ""})
    assert len(signals(told() + "\n" + real)) == 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_what_people_wrote_stands_between_marks_that_it_cannot_know(title: str, body: str) -> None:
    lines = told(title, body).split("\n")
    begin, end = lines.index(f"<<<TICKET-{NONCE[-12:]}"), lines.index(f"TICKET-{NONCE[-12:]}>>>")
    assert begin < end


def test_the_mark_is_another_in_each_turn() -> None:
    ticket = Ticket(project=Project(key="MC"), number=1, key="MC-1", title="x", body="")
    first, second = (
        prompts.compose(ticket, Turn(ticket=ticket, seq=n, nonce=f"MC_TICKET_TURN:1:{n}:{str(n) * 32}")) for n in (1, 2)
    )
    assert first.split("<<<")[1].split("\n")[0] != second.split("<<<")[1].split("\n")[0]


def test_a_long_ticket_is_cut_and_says_so() -> None:
    text = told(body="x" * (prompts.MOST_CHARS + 7))
    assert "[cut: 7 characters more]" in text


def test_no_secret_that_is_known_reaches_an_agent() -> None:
    redaction.learn(["a-very-secret-value"])
    assert "a-very-secret-value" not in told(body="use a-very-secret-value here")
