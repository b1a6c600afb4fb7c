"""The conversation of a ticket: messages accepted or refused, never lost, each with at most one turn that has it.

Every function here that writes holds the lock of the ticket's row: numbers
have no gap, a message that a turn takes cannot be withdrawn in the same
moment, and a ticket that was closed meanwhile takes no message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from portal.core import access, limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.redaction import redact
from portal.core.storable import is_storable, storable
from portal.core.unit import Pointer, UnitOfWork, unit_of_work
from portal.core.unseen import is_unseen
from tickets import attachments, telling
from tickets.locks import lock
from tickets.models import Author, Delivery, DeliveryState, Message, Ticket, TicketState, Turn
from tickets.transitions import DELIVERY

# How the keys of messages begin that answer a question.
ANSWER: Final = "answer:"
_LIVE: Final = (DeliveryState.TAKEN, DeliveryState.ACKNOWLEDGED)


def post(
    ticket: Ticket,
    *,
    author: User,
    body: str,
    internal: bool = False,
    idempotency_key: str = "",
    files: Iterable[Any] = (),
) -> tuple[Message, bool]:
    """``(message, made)``: the same key from the same author is the same message, sent again.

    Raises ``Refused`` where the ticket takes no message, the text is empty or
    too long, or the key was used for other words; nothing is stored then.
    """
    files = list(files)
    _check(body, files)
    # The bytes first: a slow disk must not hold the ticket's lock.
    with attachments.stored(files) as found, unit_of_work() as work:
        held = lock(ticket)
        sent = held.messages.filter(author=author, idempotency_key=idempotency_key).first() if idempotency_key else None
        if sent:
            if (sent.body, sent.internal) != (body, internal):
                raise Refused(
                    f"This form was sent before, with other words: they are #{sent.number}. Send it again if this is"
                    " another message."
                )
            return sent, False
        if held.state == TicketState.DONE:
            raise Refused(f"{held.key} is done, so it takes no message. Reopen it, then send.")
        message = _add(
            work,
            held,
            author_kind=Author.PERSON,
            author=author,
            author_label=str(author)[:254],
            body=body,
            internal=internal,
            idempotency_key=idempotency_key,
        )
        for file in found:
            attachments.receive(held, file, uploader=author, message=message)
        telling.wrote(held, message)
    return message, True


def withdraw(message: Message, *, by: User) -> Message:
    """Take a message back that no turn has; once withdrawn it stays so.

    Raises ``Refused`` for another's message, for an answer, and where a turn took it.
    """
    if message.author_id != by.pk and not access.is_admin(by):
        raise Refused(f"#{message.number} is not yours, so you cannot withdraw it. Its author can.")
    if message.idempotency_key.startswith(ANSWER):
        raise Refused(
            f"#{message.number} answers a question, and is not withdrawn. Write another message to correct it."
        )
    with unit_of_work() as work:
        held = lock(message.ticket)
        live = message.deliveries.filter(state__in=_LIVE).select_related("turn").first()
        if live:
            raise Refused(
                f"#{message.number} was taken by turn {live.turn.seq}, so it cannot be withdrawn."
                " Write another message to correct it."
            )
        if Message.objects.filter(pk=message.pk, withdrawn_at__isnull=True).update(withdrawn_at=Wall()):
            work.record("message.withdrawn", _subject(held, message.number))
            _announce(work, held, message.number, version=2)
    message.refresh_from_db(fields=["withdrawn_at"])
    return message


def as_said(body: str) -> str:
    """What an agent says, as it is stored."""
    return redact(storable(body).strip())[: limits.value("MESSAGE_MAX_CHARS")]


def said(turn: Turn, body: str, *, idempotency_key: str = "") -> Message | None:
    """What the agent of ``turn`` says, as its message; none where it says nothing."""
    text = as_said(body)
    if not text:
        return None
    with unit_of_work() as work:
        held = lock(turn.ticket)
        author = {"author_kind": Author.AGENT, "author_label": turn.agent_version.agent.name, "turn": turn}
        return _add(work, held, **author, body=text, idempotency_key=idempotency_key)


def told(ticket: Ticket, body: str) -> Message:
    """What the portal itself says to the agent; the next turn takes it as it takes a person's words."""
    with unit_of_work() as work:
        held = lock(ticket)
        text = redact(storable(body))[: limits.value("MESSAGE_MAX_CHARS")]
        return _add(work, held, author_kind=Author.PORTAL, author_label=Author.PORTAL.label, body=text)


# Delivery -----------------------------------------------------------------------


def waiting(ticket: Ticket) -> QuerySet[Message]:
    """The messages that the next turn is to be given, in order."""
    live = Delivery.objects.filter(message=OuterRef("pk"), state__in=_LIVE)
    rows = Message.objects.filter(ticket=ticket, internal=False, withdrawn_at__isnull=True)
    return rows.exclude(author_kind=Author.AGENT).filter(~Exists(live)).order_by("number")


def take(ticket: Ticket, turn: Turn) -> list[Message]:
    """Give ``turn`` the waiting messages, in order, as many as fit; the others wait for the next one.

    Called in the transaction that begins the turn.
    """
    with unit_of_work() as work:
        held = lock(ticket)
        taken = next_for(held)
        Delivery.objects.bulk_create(
            Delivery(message=message, turn=turn, state=DeliveryState.TAKEN) for message in taken
        )
        if taken:
            numbers = [message.number for message in taken]
            subject, scope = f"turn:{held.key}/{turn.seq}", f"project:{held.project_id}"
            work.record("turn.took_messages", subject, after={"messages": numbers}, scope=scope)
            _announce(work, held, numbers[-1], version=1)
    return taken


def next_for(ticket: Ticket) -> list[Message]:
    """The messages that a turn which began now would be given."""
    return _that_fit(waiting(ticket).prefetch_related("attachments")[: limits.value("TURN_MAX_MESSAGES")])


def _that_fit(rows: Iterable[Message]) -> list[Message]:
    """The first always does: no message waits for ever because it is long."""
    left = limits.value("TURN_MESSAGES_CHARS")
    found: list[Message] = []
    for message in rows:
        left -= len(message.body)
        if found and left < 0:
            break
        found.append(message)
    return found


def acknowledge(turn: Turn) -> None:
    """The turn ended by its own word: what it took was read."""
    _end(turn, "acknowledge")


def give_back(turn: Turn) -> None:
    """The turn ended otherwise: what it took waits again, in its old place."""
    _end(turn, "give_back")


def _end(turn: Turn, verb: str) -> None:
    with unit_of_work():
        lock(turn.ticket)
        rows = turn.deliveries.filter(state=DeliveryState.TAKEN).select_related("message__ticket")
        for delivery in rows.order_by("id"):
            DELIVERY.move(delivery, verb, ended_at=Wall(), reason=f"Turn {turn.seq} ended.")


# What an agent is told ---------------------------------------------------------------


def given(turn: Turn) -> list[Message]:
    """The messages that ``turn`` took, in order."""
    return list(Message.objects.filter(deliveries__turn=turn).order_by("number").prefetch_related("attachments"))


def read_before(turn: Turn, most: int) -> Sequence[Message]:
    """The newest messages of the conversation that an earlier turn read or said, oldest first."""
    read = Q(Exists(Delivery.objects.filter(message=OuterRef("pk"), state=DeliveryState.ACKNOWLEDGED)))
    rows = Message.objects.filter(ticket=turn.ticket_id, internal=False, withdrawn_at__isnull=True)
    return list(rows.filter(read | Q(author_kind=Author.AGENT)).order_by("-number")[:most])[::-1]


# The ticket's row ----------------------------------------------------------------------


def _add(work: UnitOfWork, held: Ticket, **fields: Any) -> Message:
    """The next message of a ticket whose row is locked."""
    number = held.last_message + 1
    message = Message.objects.create(ticket=held, number=number, **fields)
    # Not under its version: a form about the ticket is not old because somebody spoke.
    Ticket.objects.filter(pk=held.pk).update(last_message=number)
    after = {"author": message.author_label, "internal": message.internal, "characters": len(message.body)}
    work.record("message.posted", _subject(held, number), after=after)
    _announce(work, held, number, version=1)
    return message


def _subject(ticket: Ticket, number: int) -> str:
    return f"message:{ticket.key}/{number}"


def _announce(work: UnitOfWork, ticket: Ticket, number: int, *, version: int) -> None:
    for stream in (ticket.subject, f"project:{ticket.project_id}"):
        work.announce(stream, Pointer("message", _subject(ticket, number), version))


def _check(body: str, files: Sequence[Any]) -> None:
    if is_unseen(body) and not files:
        raise Refused("A message needs a text or a file.")
    most = limits.value("MESSAGE_MAX_CHARS")
    if len(body) > most:
        raise Refused(f"A message has at most {most:,} characters (you sent {len(body):,}).")
    if not is_storable(body):
        raise Refused("The message holds a NUL or half a character (a lone surrogate), which no database keeps.")
