"""A conversation: messages are accepted or refused, never lost; each has at most one turn that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused
from portal.core.models import Activity
from portal.live.models import Event
from tests.tickets import build
from tickets import conversation
from tickets.models import Delivery, Message, Ticket, Turn

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World


@pytest.fixture
def ticket(world: World) -> Ticket:
    return build.ticket(world.mc)


@pytest.fixture
def say(world: World, ticket: Ticket) -> Any:
    """``say("words")`` posts as the operator."""

    def post(body: str, author: User | None = None, **options: Any) -> Message:
        return conversation.post(ticket, author=author or world.operator, body=body, **options)[0]

    return post


def told(turn: Turn) -> list[str]:
    return [message.body for message in conversation.given(turn)]


# Accepted or refused -------------------------------------------------------------------


def test_numbers_of_messages_have_no_gap_and_a_refused_one_has_none(ticket: Ticket, say: Any) -> None:
    assert say("one").number == 1
    with pytest.raises(Refused):
        say("  ")
    assert say("two").number == 2
    ticket.refresh_from_db()
    assert (ticket.last_message, ticket.version) == (2, 1), "a form about the ticket is not old because somebody spoke"


def test_the_same_key_of_the_same_author_is_the_same_message(world: World, ticket: Ticket, say: Any) -> None:
    first, made = conversation.post(ticket, author=world.operator, body="one", idempotency_key="k")
    again, made_again = conversation.post(ticket, author=world.operator, body="one", idempotency_key="k")
    assert (made, made_again, first.pk) == (True, False, again.pk)
    assert say("one", world.owner, idempotency_key="k").number == 2, "another author's key is another"
    assert [say("same").number, say("same").number] == [3, 4], "without a key there is nothing to tell them by"


def test_other_words_under_a_used_key_are_never_taken_for_sent(ticket: Ticket, say: Any) -> None:
    say("one", idempotency_key="k")
    with pytest.raises(Refused, match="sent before, with other words: they are #1"):
        say("two", idempotency_key="k")
    with pytest.raises(Refused):
        say("one", idempotency_key="k", internal=True)
    assert Message.objects.count() == 1


def test_a_done_ticket_refuses_and_says_what_lifts_it(world: World, say: Any, ticket: Ticket) -> None:
    say("one", idempotency_key="k")
    Ticket.objects.filter(pk=ticket.pk).update(state="done")
    with pytest.raises(Refused, match="is done, so it takes no message. Reopen it"):
        say("two")
    assert say("one", idempotency_key="k").number == 1, "what was sent before the end was sent"
    assert Message.objects.count() == 1


def test_a_message_is_as_long_as_its_limit_and_no_longer(say: Any, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"MESSAGE_MAX_CHARS": 1000}
    assert say("é" * 1000).number == 1
    with pytest.raises(Refused, match="at most 1,000 characters .you sent 1,001"):
        say("x" * 1001)


@pytest.mark.parametrize("text", ["", " \n\t ", "a\0b", "a\ud800b"])
def test_what_no_database_keeps_is_refused_in_words(say: Any, text: str) -> None:
    with pytest.raises(Refused):
        say(text)
    assert not Message.objects.exists()


def test_a_message_is_history_and_an_event_without_its_words(ticket: Ticket, say: Any) -> None:
    say("a secret plan")
    (line,) = Activity.objects.filter(subject=f"message:{ticket.key}/1")
    assert (line.verb, line.after) == ("message.posted", {"author": "Operator", "internal": False, "characters": 13})
    found = set(Event.objects.values_list("stream_id", "kind", "object"))
    assert found == {
        (stream, "message", f"message:{ticket.key}/1") for stream in (ticket.subject, ticket.project.scope)
    }


# Delivery ---------------------------------------------------------------------------------


def test_a_turn_takes_what_waits_in_order_and_only_that(world: World, ticket: Ticket, say: Any) -> None:
    say("one")
    say("for people", internal=True)
    conversation.withdraw(say("a mistake"), by=world.operator)
    say("two")
    turn = build.turn(ticket, "running")
    assert [message.number for message in conversation.take(ticket, turn)] == [1, 4]
    say("three")
    assert told(turn) == ["one", "two"]
    assert [message.body for message in conversation.waiting(ticket)] == ["three"]


def test_what_was_acknowledged_is_given_to_nobody_again(ticket: Ticket, say: Any) -> None:
    say("one")
    first, second = build.turn(ticket, "running"), build.turn(ticket, seq=2)
    conversation.take(ticket, first)
    conversation.acknowledge(first)
    assert conversation.take(ticket, second) == []
    assert [(d.state, bool(d.ended_at)) for d in Delivery.objects.all()] == [("acknowledged", True)]


def test_what_was_given_back_is_first_in_the_next_turn(ticket: Ticket, say: Any) -> None:
    say("one")
    first, second = build.turn(ticket, "failed"), build.turn(ticket, seq=2)
    conversation.take(ticket, first)
    say("two")
    conversation.give_back(first)
    assert [message.body for message in conversation.take(ticket, second)] == ["one", "two"]
    states = Delivery.objects.order_by("id").values_list("turn__seq", "state")
    assert list(states) == [(1, "returned"), (2, "taken"), (2, "taken")]


def test_an_end_told_twice_changes_nothing(ticket: Ticket, say: Any) -> None:
    say("one")
    turn = build.turn(ticket, "running")
    conversation.take(ticket, turn)
    conversation.acknowledge(turn)
    conversation.give_back(turn)
    assert Delivery.objects.get().state == "acknowledged"


def test_what_does_not_fit_waits_and_a_long_one_does_not_wait_for_ever(ticket: Ticket, say: Any, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"TURN_MESSAGES_CHARS": 1000, "TURN_MAX_MESSAGES": 2}
    for text in ("a" * 1500, "b" * 600, "c" * 400, "d", "e", "f"):
        say(text)
    taken = []
    for seq in (1, 2, 3, 4):
        turn = build.turn(ticket, seq=seq)
        conversation.take(ticket, turn)
        conversation.acknowledge(turn)
        taken.append("".join(body[0] for body in told(turn)))
    assert taken == ["a", "bc", "de", "f"]


# Withdrawn ----------------------------------------------------------------------------------


def test_a_message_is_withdrawn_by_its_author_alone(world: World, say: Any) -> None:
    message = say("one")
    with pytest.raises(Refused, match="#1 is not yours"):
        conversation.withdraw(message, by=world.owner)
    assert conversation.withdraw(message, by=world.operator).withdrawn_at
    at = conversation.withdraw(message, by=world.operator).withdrawn_at
    assert at == Message.objects.get().withdrawn_at
    assert Activity.objects.filter(verb="message.withdrawn").count() == 1
    assert conversation.withdraw(say("two"), by=world.admin).withdrawn_at


def test_what_a_turn_took_is_not_withdrawn(world: World, ticket: Ticket, say: Any) -> None:
    message, turn = say("one"), build.turn(ticket, "running")
    conversation.take(ticket, turn)
    with pytest.raises(Refused, match="taken by turn 1"):
        conversation.withdraw(message, by=world.operator)
    conversation.give_back(turn)
    assert conversation.withdraw(message, by=world.operator).withdrawn_at
    assert conversation.take(ticket, build.turn(ticket, seq=2)) == []


# What the agent says ----------------------------------------------------------------------------


def test_what_an_agent_says_is_a_message_that_no_agent_is_given(ticket: Ticket) -> None:
    turn = build.turn(ticket)
    message = conversation.said(turn, " I mended it. token=abcdef123456\0 ")
    assert message is not None
    assert (message.author_kind, message.author_label, message.turn_id) == ("agent", "claude-dev", turn.pk)
    assert message.body == "I mended it. token=[redacted]"
    assert conversation.said(turn, "  ") is None
    assert conversation.take(ticket, build.turn(ticket, seq=2)) == []


def test_a_later_turn_is_told_what_was_spoken_of(ticket: Ticket, say: Any) -> None:
    say("Which way?")
    first = build.turn(ticket)
    conversation.take(ticket, first)
    conversation.acknowledge(first)
    conversation.said(first, "Left or right?")
    say("Left.")
    say("Between us", internal=True)
    second = build.turn(ticket, "running", seq=2)
    conversation.take(ticket, second)
    assert [message.body for message in conversation.read_before(second, 10)] == ["Which way?", "Left or right?"]
    assert [message.body for message in conversation.read_before(second, 1)] == ["Left or right?"]
    assert told(second) == ["Left."]
