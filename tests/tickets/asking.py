"""Tickets that wait for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.core.clock import Wall
from tests.tickets import build
from tickets import questions
from tickets.models import Project, Question, Ticket
from workers.models import Agent, AgentVersion

WHOLE: dict[str, Any] = {
    "question": "1,204 rows were deleted unsent since 2 November. The audit table still has them."
    " What should happen to **them**?",
    "options": [
        {"label": "Replay all", "detail": "Receivers see deliveries up to 18 days late, marked replayed=true"},
        {"label": "Replay the last 72 hours", "detail": "212 rows; the other 992 are written off"},
        "Write all off",
    ],
    "default": 0,
    "deadline_minutes": 88,
}


def ask(of: Project, payload: str | Mapping[str, object] = WHOLE, *, seq: int = 3, **fields: Any) -> Question:
    """A question of a turn that ended with it; its ticket waits for a person."""
    agent = Agent.objects.filter(name="claude-dev").first() or build.agent()
    version = AgentVersion.objects.filter(agent=agent).latest("number")
    if not of.repository:
        build.repository(of)
    ticket = build.ticket(of, "needs_person", agent_version=version, **fields)
    return again(ticket, payload, seq=seq)


def again(ticket: Ticket, payload: str | Mapping[str, object] = WHOLE, *, seq: int) -> Question:
    Ticket.objects.filter(pk=ticket.pk).update(state="needs_person")
    turn = build.turn(ticket, "needs_input", seq=seq, agent_version=ticket.agent_version)
    return questions.ask(turn, payload)


def overdue(question: Question, *, minutes: int = 1) -> Question:
    Question.objects.filter(pk=question.pk).update(deadline_at=Wall(-60 * minutes))
    question.refresh_from_db(fields=["deadline_at"])
    return question


def defaults_answer(of: Project) -> Project:
    Project.objects.filter(pk=of.pk).update(default_answers=True)
    of.refresh_from_db()
    return of
