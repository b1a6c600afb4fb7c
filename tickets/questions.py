"""What agents ask: asked in the transaction that settles a turn, answered once, by a person or by its own default.

A turn that runs on asks, too, and its worker waits: see ``steering``. Whoever
changes a question holds the lock of its ticket's row, so that of many who
answer at once one does, and the others are told who it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC
from typing import Any, Final, NamedTuple

import structlog
from django.db.models import F, Max

from portal.core import clock, limits
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused
from portal.core.models import User
from portal.core.storable import is_storable
from portal.core.unit import unit_of_work
from portal.core.unseen import is_unseen
from tickets import conversation, decisions, intake, telling
from tickets.locks import lock
from tickets.models import Question, QuestionKind, QuestionState, Ticket, TicketState, Turn, TurnState
from tickets.transitions import QUESTION, TICKET
from tickets.turn_jobs import able, enqueue_turn
from workers import queue
from workers.models import AgentVersion

log = structlog.get_logger(__name__)
DEADLINE_KIND: Final = "question.deadline"
BY_DEFAULT: Final = "Shiproom: the default at the deadline"
# Defaults that one run gives; the next run takes the others.
DUE_AT_ONCE: Final = 100
SAID_CHARS: Final = 200
# The places of the options of a permission.
ALLOW: Final = 0
DENY: Final = 1
ALWAYS: Final = 2


class Reply(NamedTuple):
    """An answer as it is stored, and as the agent is told it."""

    answer: str
    message: str
    note: str = ""


def open_of(ticket: Ticket) -> Question | None:
    """The question that the ticket waits with."""
    rows = Question.objects.filter(ticket=ticket, state=QuestionState.OPEN)
    question = rows.select_related("turn__agent_version__agent").first()
    if question is not None:
        question.ticket = question.turn.ticket = ticket
    return question


def ask(turn: Turn, payload: str | Mapping[str, object]) -> Question:
    """What ``turn`` ended with, as a question for people, in the transaction that settles the turn.

    An earlier question that is still open is set aside.
    """
    with unit_of_work() as work:
        held = lock(turn.ticket)
        set_aside(held, f"Turn {turn.seq} asks another question.")
        asked = intake.asked(payload, clock.now())
        minutes = asked.deadline_minutes
        question = Question.objects.create(
            ticket=held,
            turn=turn,
            n=next_n(turn),
            state=QuestionState.OPEN,
            text=asked.text,
            options=[asdict(option) for option in asked.options],
            default=asked.default,
            deadline_at=None if minutes is None else Wall(minutes * intake.MINUTE_SECONDS),
        )
        question.refresh_from_db(fields=["asked_at", "deadline_at"])
        after = {"options": len(asked.options), "default": asked.default, "deadline_minutes": minutes}
        work.record("question.asked", QUESTION.subject(question), after=after)
        QUESTION.announce(question)
        telling.asked(question)
        if minutes is not None and question.default is not None:
            subject, seconds = QUESTION.subject(question), minutes * intake.MINUTE_SECONDS
            scope = held.project.scope
            queue.enqueue(DEADLINE_KIND, subject=subject, unique_key=subject, audience=scope, delay_seconds=seconds)
    return question


def next_n(turn: Turn) -> int:
    """The number of the turn's next question, under the lock of its ticket."""
    last: int = Question.objects.filter(turn=turn).aggregate(last=Max("n"))["last"] or 0
    return last + 1


def set_aside(ticket: Ticket, reason: str) -> Question | None:
    """The ticket goes on without an answer to its open question, if it has one."""
    with unit_of_work():
        question = open_of(lock(ticket))
        if question is not None:
            QUESTION.move(question, "set_aside", reason=reason)
    return question


# Answers -----------------------------------------------------------------------------------


def answer(
    question: Question,
    *,
    by: User,
    choice: int | None,
    text: str,
    keep: bool = False,
    expected_version: int | None = None,
) -> Question:
    """One person's answer: the ticket is queued, and the next turn is given it as that person's message.

    To a live question it goes by the worker that waits for it. ``choice`` is
    the place of an option, from 0; ``keep`` makes it a decision of the
    project. Raises ``Refused`` where it is answered or set aside already,
    where nothing was said, where a permission is to be kept, and where no turn
    could follow; nothing is changed then.
    """
    with unit_of_work():
        held, asked = _held(question)
        reply = _reply(asked, choice, text)
        # A turn that gave up waiting may still be ending: its end goes on with the answer.
        version = None if asked.turn.state == TurnState.RUNNING else _next_version(held)
        QUESTION.move(
            asked,
            "answer",
            expected_version=expected_version,
            choice=choice,
            answer=reply.answer,
            answered_by=by,
            answered_label=str(by)[:254],
            answered_at=Wall(),
        )
        if keep:
            decisions.keep(asked, by=by)
        _pass_on(held, asked, by, reply)
        if version is not None:
            _go_on(held, version)
    return asked


def go_on(turn: Turn) -> None:
    """Its question was answered while it ended: the next turn is queued now.

    Where none can be, the ticket waits for a person with the answer in its
    conversation. In the transaction that settles the turn.
    """
    with unit_of_work():
        held = lock(turn.ticket)
        rows = Question.objects.filter(ticket=held)
        if held.state != TicketState.NEEDS_PERSON or rows.filter(state=QuestionState.OPEN).exists():
            return
        if not rows.filter(turn=turn, state=QuestionState.ANSWERED, live=False).exists():
            return
        try:
            version = _next_version(held)
        except Refused as refusal:
            log.info("no_turn_follows", ticket=held.key, why=str(refusal))
            return
        _go_on(held, version)


def _pass_on(held: Ticket, asked: Question, by: User, reply: Reply) -> None:
    """The answer as the agent is told it: by its worker where that waits, else as a message."""
    if not asked.live:
        body = reply.message
    elif asked.kind == QuestionKind.PERMISSION and may(asked) and reply.note:
        # The protocol has no words beside a yes.
        body = reply.note
    else:
        return
    conversation.post(held, author=by, body=body, idempotency_key=f"{conversation.ANSWER}{asked.name}")


# Permissions --------------------------------------------------------------------------------


def may(question: Question) -> bool:
    """Whether the answer to a permission is yes. Words alone are none."""
    return question.kind == QuestionKind.PERMISSION and question.choice in {ALLOW, ALWAYS}


def answer_due(writing: Callable[[], AbstractContextManager[Any]] = unit_of_work) -> int:
    """Answer by their own default the questions whose deadline is over, where the project lets defaults answer.

    Returns how many. Each in a transaction that ``writing`` opens; whichever
    run is first answers, and another finds it done.
    """
    due = Question.objects.filter(
        state=QuestionState.OPEN,
        deadline_at__lte=Wall(),
        default__isnull=False,
        ticket__state=TicketState.NEEDS_PERSON,
        ticket__project__default_answers=True,
        # One that no turn could follow must not keep the others from it.
        ticket__agent_version__agent__enabled=True,
        ticket__taken_at__isnull=True,
    ).exclude(ticket__project__repository="")
    answered = 0
    for question in due.select_related("ticket").order_by(F("deadline_at"), "id")[:DUE_AT_ONCE]:
        try:
            with writing(), acting(Actor("clock", "default", BY_DEFAULT)):
                _answer_by_default(question)
        except Refused as refusal:
            log.info("default_not_given", question=QUESTION.subject(question), why=str(refusal))
        else:
            answered += 1
    return answered


def what_follows(question: Question) -> str:
    """What an answer that was just given does, in a sentence."""
    key = question.ticket.key
    if question.live:
        return f"Answered. The agent of {key} is told at once."
    return f"Answered. {key} waits for its next turn."


def _answer_by_default(question: Question) -> None:
    held, asked = _held(question)
    version = _next_version(held)
    reply = _reply(asked, asked.default, "Nobody answered by the deadline, so your own default holds.")
    QUESTION.move(
        asked,
        "answer",
        reason="The deadline is over.",
        choice=asked.default,
        answer=label_of(asked, asked.default),
        answered_label=BY_DEFAULT,
        answered_at=Wall(),
    )
    conversation.told(held, reply.message)
    _go_on(held, version)


def _held(question: Question) -> tuple[Ticket, Question]:
    """The ticket, locked, and the question as it is now. Raises ``Refused`` unless it is open."""
    held = lock(question.ticket)
    found = Question.objects.select_related("turn").filter(pk=question.pk).first()
    if found is None:
        raise Gone(f"The question of {held.key} is not there any more.")
    found.ticket = found.turn.ticket = held
    if found.state != QuestionState.OPEN:
        raise Refused(ended(found))
    return held, found


def ended(question: Question) -> str:
    """Why a question takes no answer any more, in a sentence."""
    named = f"The question of turn {question.turn.seq}"
    if question.answered_at is None:
        return f"{named} was set aside: {question.ticket.key} went on without an answer. Write a message instead."
    said = question.answer if len(question.answer) <= SAID_CHARS else f"{question.answer[:SAID_CHARS]}…"
    at = f"{question.answered_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return (
        f"{named} was answered already, by {question.answered_label} at {at}: “{said}”."
        " Write a message if the agent should know more."
    )


def label_of(question: Question, place: int | None) -> str:
    """The option at ``place``; empty where there is none."""
    return str(question.options[place]["label"]) if place is not None else ""


def _reply(question: Question, choice: int | None, text: str) -> Reply:
    note = "" if is_unseen(text) else text.strip()
    most = limits.value("ANSWER_MAX_CHARS")
    if len(note) > most:
        raise Refused(f"An answer has at most {most:,} characters (you sent {len(note):,}).")
    if not is_storable(note):
        raise Refused("The answer holds a NUL or half a character (a lone surrogate), which no database keeps.")
    if choice is None and not note:
        which = "Choose an option, or answer in words." if question.options else "Answer in words."
        raise Refused(f"Nothing was answered. {which}")
    if choice is not None and not 0 <= choice < len(question.options):
        raise Refused(_no_such(question, choice))
    label = label_of(question, choice)
    began = f"Answer to turn {question.turn.seq}:" + (f" **{label}**" if label else "")
    about = question.text if question.kind == QuestionKind.PERMISSION else ""
    return Reply("\n\n".join(filter(None, [label, note])), "\n\n".join(filter(None, [began, note, about])), note)


def _no_such(question: Question, choice: int) -> str:
    if not question.options:
        return f"The question has no options, so {choice} cannot be chosen. Answer in words."
    return f"The question has no option {choice}. Its options are 0 to {len(question.options) - 1}."


def _next_version(ticket: Ticket) -> AgentVersion:
    """The profile that goes on with the answer. Raises ``Refused``."""
    if ticket.agent_version is None:
        raise Refused(f"{ticket.key} has no agent that could be told. Assign one.")
    return able(ticket, ticket.agent_version.agent)


def _go_on(ticket: Ticket, version: AgentVersion) -> None:
    TICKET.move(ticket, "answer", agent_version=version)
    enqueue_turn(ticket, version)
