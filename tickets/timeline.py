"""A ticket's conversation as its page shows it: messages of people and agents, and the turns between them, by time.

Bounded, by key, and a constant number of queries: the newest messages with
the turns that began among them; earlier ones on a page of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Max, Q, QuerySet

from portal.core import limits
from tickets import conversation, history, output, question_panel, steering, transcript
from tickets.models import (
    Attachment,
    Author,
    CheckRun,
    Delivery,
    DeliveryState,
    Message,
    Purpose,
    Ticket,
    Turn,
    TurnState,
    question_name,
)
from tickets.question_panel import QuestionShown
from tickets.transcript import Transcript
from workers.models import Outcome

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
    def withdrawable(self) -> bool:
        """By its author: no turn has it, and nothing goes on because of it."""
        answers = self.message.idempotency_key.startswith(conversation.ANSWER)
        return self.fate is not None and self.fate.waits and not answers

    @property
    def initials(self) -> str:
        """Of an author who may be gone."""
        author = self.message.author
        label = self.message.author_label
        return author.initials if author else "".join(word[0] for word in label.split()[:INITIALS]).upper()


@dataclass(frozen=True, slots=True)
class TurnShown:
    """``took``: the numbers of its messages. ``answer``: the number of what it said, where that is on the page.

    The newest one is open, with its output or, where its adapter can tell, what it said and did.
    """

    turn: Turn
    moved: bool
    output: output.Output | None
    took: Sequence[int]
    answer: int | None
    transcript: Transcript | None
    checks: Sequence[CheckRun]
    newest: bool
    structured: bool

    @property
    def ended(self) -> str:
        """How its attempt ended, in words, where that was not by its own word."""
        return _ENDINGS.get(self.turn.attempt.outcome, "")

    @property
    def compared(self) -> bool:
        """Whether there is anything yet to hold beside its claims."""
        measured = getattr(self.turn, "measurement", None) is not None
        return self.turn.state != TurnState.RUNNING or measured or bool(self.checks)

    @property
    def told_to_stop(self) -> bool:
        return self.turn.state == TurnState.RUNNING and self.turn.attempt.job.cancel_at is not None

    @property
    def reviews(self) -> bool:
        return self.turn.purpose == Purpose.REVIEW

    @property
    def cursors(self) -> dict[str, str]:
        source = self.transcript.source if self.transcript else self.output
        return source.cursors if source else {}


_ENDINGS: Final[dict[str, str]] = {
    Outcome.FAILED: "It failed",
    Outcome.TIMED_OUT: "It ran out of time",
    Outcome.LOST: "Its worker was lost",
    Outcome.UNSEEN: "Its worker was lost as it began",
    Outcome.BAD_INPUT: "It could not begin",
    Outcome.CANCELLED: "It was stopped on request",
    Outcome.RELEASED: "Its worker handed it back",
    Outcome.PARKED: "It was parked",
    Outcome.RATE_LIMITED: "Its provider let nobody through",
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """``earlier``: messages before these; ``before``: the number that this page ends below, none on the newest.

    ``more_asked``: these turns asked more than is shown; ``reached``: what is written now goes to the turn that runs.
    """

    entries: Sequence[MessageShown | TurnShown | QuestionShown]
    turns: Sequence[TurnShown]
    earlier: int
    earlier_turns: int
    first: int
    before: int | None
    more_asked: bool = False
    reached: bool = False

    @property
    def newest_turn(self) -> int:
        return self.turns[-1].turn.seq if self.turns else 0

    @property
    def cursors(self) -> dict[str, str]:
        return {name: at for shown in self.turns for name, at in shown.cursors.items()}


def of(ticket: Ticket, before: int | None = None) -> Timeline:
    """The newest page, or the one that ends below message ``before``."""
    messages = _messages(ticket, before)
    turns = _turns(ticket, messages, before)
    deliveries = _deliveries(messages, turns)
    files = Attachment.objects.filter(message__in=[message.pk for message in messages]).order_by("id")
    running = next((turn for turn in turns if turn.state == TurnState.RUNNING), None)
    said = [_message(message, deliveries, list(files), running) for message in messages]
    answers = {message.turn_id: message.number for message in messages if message.turn_id}
    newest = turns[-1].pk if turns and before is None else None
    asked, more_asked = question_panel.ended_of(ticket, turns)
    checks = list(CheckRun.objects.filter(attempt__in=[turn.attempt_id for turn in turns]).order_by("attempt", "n"))
    gone = [_turn(ticket, turn, deliveries, answers, checks, last=turn.pk == newest) for turn in turns]
    return Timeline(
        entries=question_panel.among(_by_time(said, gone), asked, _began),
        turns=gone,
        more_asked=more_asked,
        reached=running is not None and steering.reaches(running),
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
    rows: QuerySet[Turn] = Turn.objects.filter(ticket=ticket).defer("measurement__diff")
    rows = rows.select_related("agent_version__agent", "attempt__job", "measurement")
    if messages and messages[0].number > 1:
        rows = rows.filter(_from(_moment_of(ticket, messages[0].number), newest=before is None))
    if before is not None:
        rows = rows.filter(started_at__lt=_moment_of(ticket, before))
    return list(rows.order_by("-seq")[:TURNS_SHOWN])[::-1]


def _moment_of(ticket: Ticket, number: int) -> QuerySet[Any, Any]:
    """When that message was written, as the database keeps it: a moment that was read is written otherwise by SQLite,
    and a turn of the same one would stand on no page."""
    return ticket.messages.filter(number=number).values("created_at")[:1]


def _from(moment: QuerySet[Any, Any], *, newest: bool) -> Q:
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


def _message(
    message: Message, deliveries: Sequence[_Delivery], files: Sequence[Attachment], running: Turn | None
) -> MessageShown:
    own = [delivery for delivery in deliveries if delivery.message == message.pk]
    attached = [file for file in files if file.message_id == message.pk]
    return MessageShown(message, _fate(message, own[-1] if own else None, running), attached)


def _fate(message: Message, delivery: _Delivery | None, running: Turn | None) -> Fate | None:
    if message.withdrawn_at:
        return Fate("", "undo", "Withdrawn")
    if message.author_kind == Author.AGENT:
        return None
    if message.internal:
        return Fate("", "lock", "Internal: no agent is given it", waits=True)
    if delivery is None:
        reached = running is not None and steering.reaches(running)
        return Fate("", "queued", f"Waits for {'the running' if reached else 'the next'} turn", waits=True)
    if delivery.state == DeliveryState.TAKEN and running is not None and message.created_at > running.started_at:
        return Fate("run", "run", f"Delivered to turn {delivery.seq}")
    return {
        DeliveryState.TAKEN: Fate("run", "run", f"Taken by turn {delivery.seq}"),
        DeliveryState.ACKNOWLEDGED: Fate("good", "check", f"Read by turn {delivery.seq}"),
        DeliveryState.RETURNED: Fate("warn", "undo", f"Back in the queue after turn {delivery.seq}", waits=True),
    }[DeliveryState(delivery.state)]


def _turn(
    ticket: Ticket,
    turn: Turn,
    deliveries: Sequence[_Delivery],
    answers: dict[Any, int],
    checks: Sequence[CheckRun],
    *,
    last: bool,
) -> TurnShown:
    turn.ticket = ticket
    structured = transcript.is_structured(turn.agent_version.adapter)
    running = turn.state == TurnState.RUNNING
    return TurnShown(
        turn=turn,
        moved=bool(turn.head_commit) and turn.head_commit != turn.base_commit,
        output=output.newest(turn.attempt_id, running=running) if last and not structured else None,
        took=[delivery.number for delivery in deliveries if delivery.turn == turn.pk],
        answer=answers.get(turn.pk),
        transcript=transcript.of(turn) if last and structured else None,
        checks=[check for check in checks if check.attempt_id == turn.attempt_id],
        newest=last,
        structured=structured,
    )


def _by_time(said: Sequence[MessageShown], gone: Sequence[TurnShown]) -> Iterator[MessageShown | TurnShown]:
    """Messages in the order of their numbers, turns in the order of theirs, whichever was first before the other."""
    left = list(gone)
    for shown in said:
        while left and left[0].turn.started_at <= shown.message.created_at:
            yield left.pop(0)
        yield shown
    yield from left


def _began(shown: MessageShown | TurnShown) -> datetime:
    return shown.turn.started_at if isinstance(shown, TurnShown) else shown.message.created_at


def history_of(ticket: Ticket) -> list[history.Line]:
    """What was done to the ticket and by its newest turns, newest first."""
    newest = Turn.objects.filter(ticket=ticket).annotate(asked=Max("questions__n")).order_by("-seq")
    turns = list(newest.values_list("seq", "asked")[:TURNS_SHOWN])
    asked = [(seq, n) for seq, last in turns for n in range(last or 0, 0, -1)]
    names = [f"turn:{ticket.key}/{seq}" for seq, _ in turns]
    names += [f"question:{ticket.key}/{question_name(seq, n)}" for seq, n in asked[: history.SHOWN]]
    return history.of([ticket.subject, *names])
