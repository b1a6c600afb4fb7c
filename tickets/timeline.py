"""A ticket's conversation as its page shows it: messages of people and agents, and the turns between them, by time.

Bounded, by key, and a constant number of queries: the newest messages with
the turns that began among them; earlier ones on a page of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from portal.core import limits
from tickets import history, output
from tickets.models import Attachment, Author, Delivery, DeliveryState, Message, Ticket, Turn, TurnState

TURNS_SHOWN: Final = 20
# Of all messages of one page together: what is longer goes on on the page before it.
PAGE_CHARS: Final = 200_000
INITIALS: Final = 2


class Fate(NamedTuple):
    """What becomes of a message: how it looks, and in words."""

    tone: str
    icon: str
    words: str
    waits: bool = False


@dataclass(frozen=True, slots=True)
class MessageShown:
    message: Message
    fate: Fate | None
    files: Sequence[Attachment]

    @property
    def initials(self) -> str:
        """Of an author who may be gone."""
        author = self.message.author
        label = self.message.author_label
        return author.initials if author else "".join(word[0] for word in label.split()[:INITIALS]).upper()


@dataclass(frozen=True, slots=True)
class TurnShown:
    """``took``: the numbers of its messages. ``answer``: the number of what it said, where that is on the page."""

    turn: Turn
    moved: bool
    output: output.Output | None
    took: Sequence[int]
    answer: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """``earlier``: messages before these; ``before``: the number that this page ends below, none on the newest."""

    entries: Sequence[MessageShown | TurnShown]
    turns: Sequence[TurnShown]
    earlier: int
    earlier_turns: int
    first: int
    before: int | None

    @property
    def newest_turn(self) -> int:
        return self.turns[-1].turn.seq if self.turns else 0

    @property
    def cursors(self) -> dict[str, str]:
        return {name: at for shown in self.turns if shown.output for name, at in shown.output.cursors.items()}


def of(ticket: Ticket, before: int | None = None) -> Timeline:
    """The newest page, or the one that ends below message ``before``."""
    messages = _messages(ticket, before)
    turns = _turns(ticket, messages, before)
    deliveries = _deliveries(messages, turns)
    files = Attachment.objects.filter(message__in=[message.pk for message in messages]).order_by("id")
    said = [_message(message, deliveries, list(files)) for message in messages]
    answers = {message.turn_id: message.number for message in messages if message.turn_id}
    newest = turns[-1].pk if turns and before is None else None
    gone = [_turn(ticket, turn, deliveries, answers, last=turn.pk == newest) for turn in turns]
    return Timeline(
        entries=list(_by_time(said, gone)),
        turns=gone,
        # Numbers have no gap.
        earlier=messages[0].number - 1 if messages else 0,
        earlier_turns=turns[0].seq - 1 if turns else 0,
        first=messages[0].number if messages else 0,
        before=before,
    )


def _messages(ticket: Ticket, before: int | None) -> list[Message]:
    rows = ticket.messages.select_related("author", "turn").order_by("-number")
    if before is not None:
        rows = rows.filter(number__lt=before)
    found: list[Message] = []
    left = PAGE_CHARS
    for message in rows[: limits.value("LIST_PAGE_ROWS")]:
        left -= len(message.body)
        if found and left < 0:
            break
        # The row in hand serves the template: no query a message.
        message.ticket = ticket
        found.append(message)
    return found[::-1]


def _turns(ticket: Ticket, messages: Sequence[Message], before: int | None) -> list[Turn]:
    """Those that began among the messages shown; the one that runs is always on the newest page."""
    rows: QuerySet[Turn] = Turn.objects.filter(ticket=ticket).select_related("agent_version__agent", "attempt")
    if messages and messages[0].number > 1:
        rows = rows.filter(_from(messages[0].created_at, newest=before is None))
    if before is not None:
        next_page = ticket.messages.filter(number=before).values("created_at")
        rows = rows.filter(started_at__lt=next_page[:1])
    return list(rows.order_by("-seq")[:TURNS_SHOWN])[::-1]


def _from(moment: datetime, *, newest: bool) -> Q:
    began = Q(started_at__gte=moment)
    return began | Q(state=TurnState.RUNNING) if newest else began


class _Delivery(NamedTuple):
    message: int
    number: int
    turn: int
    seq: int
    state: str


def _deliveries(messages: Sequence[Message], turns: Sequence[Turn]) -> list[_Delivery]:
    rows = Delivery.objects.filter(Q(message__in=messages) | Q(turn__in=turns)).order_by("id")
    names = ("message_id", "message__number", "turn_id", "turn__seq", "state")
    return [_Delivery(*row) for row in rows.values_list(*names)]


def _message(message: Message, deliveries: Sequence[_Delivery], files: Sequence[Attachment]) -> MessageShown:
    own = [delivery for delivery in deliveries if delivery.message == message.pk]
    attached = [file for file in files if file.message_id == message.pk]
    return MessageShown(message, _fate(message, own[-1] if own else None), attached)


def _fate(message: Message, delivery: _Delivery | None) -> Fate | None:
    if message.withdrawn_at:
        return Fate("", "undo", "Withdrawn")
    if message.author_kind != Author.PERSON:
        return None
    if message.internal:
        return Fate("", "lock", "Internal: no agent is given it", waits=True)
    if delivery is None:
        return Fate("", "queued", "Waits for the next turn", waits=True)
    return {
        DeliveryState.TAKEN: Fate("run", "run", f"Taken by turn {delivery.seq}"),
        DeliveryState.ACKNOWLEDGED: Fate("good", "check", f"Read by turn {delivery.seq}"),
        DeliveryState.RETURNED: Fate("warn", "undo", f"Back in the queue after turn {delivery.seq}", waits=True),
    }[DeliveryState(delivery.state)]


def _turn(
    ticket: Ticket, turn: Turn, deliveries: Sequence[_Delivery], answers: dict[Any, int], *, last: bool
) -> TurnShown:
    turn.ticket = ticket
    moved = bool(turn.head_commit) and turn.head_commit != turn.base_commit
    running = turn.state == TurnState.RUNNING
    shown = output.newest(turn.attempt_id, running=running) if last else None
    took = [delivery.number for delivery in deliveries if delivery.turn == turn.pk]
    return TurnShown(turn, moved, shown, took, answers.get(turn.pk))


def _by_time(said: Sequence[MessageShown], gone: Sequence[TurnShown]) -> Iterator[MessageShown | TurnShown]:
    """Messages in the order of their numbers, turns in the order of theirs, whichever was first before the other."""
    left = list(gone)
    for shown in said:
        while left and left[0].turn.started_at <= shown.message.created_at:
            yield left.pop(0)
        yield shown
    yield from left


def history_of(ticket: Ticket) -> list[history.Line]:
    """What was done to the ticket and by its newest turns, newest first."""
    newest = Turn.objects.filter(ticket=ticket).order_by("-seq").values_list("seq", flat=True)[:TURNS_SHOWN]
    return history.of([ticket.subject, *(f"turn:{ticket.key}/{seq}" for seq in newest)])
