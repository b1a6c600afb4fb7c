"""What a turn is reminded of: how earlier turns at its ticket ended, and what people decided, with how long ago.

An agent whose session is gone knows nothing of either, and one that goes on
in its session does not know what the portal measured after it had ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import QuerySet
from django.utils.timesince import timesince

from portal.core import clock, limits
from tickets import decisions
from tickets.models import Measurement, Purpose, Question, QuestionKind, QuestionState, Ticket, Turn, TurnState

MOST_TURNS: Final = 5
MOST_DECISIONS: Final = 10
REASONS: Final = 5
ASKED_CHARS: Final = 400
ANSWER_CHARS: Final = 1000
CUT: Final = "[cut: "


def of_turns(ticket: Ticket, before: int) -> list[str]:
    """A line for each of the newest turns of work with a number below ``before``, the newest first."""
    rows = ticket.turns.filter(seq__lt=before, purpose=Purpose.WORK).exclude(state=TurnState.RUNNING)
    rows = rows.select_related("agent_version__agent", "measurement").defer("measurement__diff").order_by("-seq")
    found = list(rows[:MOST_TURNS])
    now = clock.now() if found else None
    return [_of_turn(turn, now) for turn in found]


def of_decisions(ticket: Ticket) -> list[str]:
    """A line for each of the newest answers that people gave to agents on this ticket, the newest first."""
    found = list(_answered(ticket)[:MOST_DECISIONS])
    now = clock.now() if found else None
    return [
        f"- {_ago(question.answered_at, now)} it was asked: {_line(question.text, ASKED_CHARS)}\n"
        f"  {question.answered_label} answered: {_line(question.answer, ANSWER_CHARS)}"
        for question in found
    ]


def of_project(ticket: Ticket) -> list[str]:
    """A line for each of the newest decisions of the ticket's project, the newest first, but for those of
    ``of_decisions``; and a last one that says how many did not fit.
    """
    told = _answered(ticket)[:MOST_DECISIONS].values("pk")
    return _that_fit(decisions.of_project(ticket.project_id).exclude(pk__in=told))


def _answered(ticket: Ticket) -> QuerySet[Question]:
    asked = Question.objects.filter(ticket=ticket, state=QuestionState.ANSWERED, kind=QuestionKind.QUESTION)
    return asked.order_by("-answered_at", "-id")


def _that_fit(rows: QuerySet[Question]) -> list[str]:
    """As many as ``TURN_DECISIONS_ROWS`` and ``TURN_DECISIONS_CHARS`` allow; each alone fits."""
    newest = list(rows[: limits.value("TURN_DECISIONS_ROWS")])
    now = clock.now() if newest else None
    left, found = limits.value("TURN_DECISIONS_CHARS"), list[str]()
    for question in newest:
        line = _kept(question, now)
        left -= len(line)
        if left < 0:
            break
        found.append(line)
    more = rows.count() - len(found) if newest else 0
    return [*found, f"{CUT}{more} older decision{'s' if more > 1 else ''} more]"] if more > 0 else found


def _kept(question: Question, now: datetime | None) -> str:
    return (
        f"- {_ago(question.answered_at, now)} it was asked on {question.ticket.key}:"
        f" {shortened(question.text, ASKED_CHARS)}\n"
        f"  {_line(question.answered_label, ASKED_CHARS)} answered: {shortened(question.answer, ANSWER_CHARS)}"
    )


def shortened(text: str, most: int) -> str:
    """``text`` on one line; where it is cut, it says by how much."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[:most]} {CUT}{len(words) - most} characters more]"


def _of_turn(turn: Turn, now: datetime | None) -> str:
    said = f"- turn {turn.seq} of {turn.agent_version.agent.name}, {_ago(turn.ended_at, now)}: "
    measured: Measurement | None = getattr(turn, "measurement", None)
    if turn.state != TurnState.DONE:
        return f"{said}{TurnState(turn.state).label.lower()}. {_line(turn.verdict, ASKED_CHARS)}".rstrip()
    if measured is None or measured.proven:
        return f"{said}done{', and seen to hold' if measured else ''}."
    reasons = " ".join(_line(reason, ASKED_CHARS) for reason in measured.reasons[:REASONS])
    return f"{said}it said DONE, and that was not seen to hold. {reasons}"


def _ago(when: datetime | None, now: datetime | None) -> str:
    if when is None or now is None:
        return "at a time that nobody noted"
    return f"{timesince(when, now, depth=1)} ago".replace("\xa0", " ")


def _line(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
