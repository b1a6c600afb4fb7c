"""The agent's own session: with which one a turn goes on, and what it has cost so far."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Final, NamedTuple

from django.db.models import Sum

from tickets.models import Purpose, Ticket, Turn
from workers.agents.adapters import adapter_named
from workers.agents.adapters.events import SessionStarted
from workers.agents.usage import Spent
from workers.models import AgentVersion, AttemptOutput

# An agent names its session in the first lines that it prints.
PIECES_READ: Final = 4


class Session(NamedTuple):
    """``name`` is empty where a new one begins. ``usage``: the session's own figures at its last turn's end."""

    name: str = ""
    usage: Spent | None = None


def to_resume(ticket: Ticket, version: AgentVersion, purpose: Purpose) -> Session:
    """The session of the agent's last turn at this ticket, if the profile can go on with one.

    A turn that was to go on with a session and did not get to it has shown
    that the session is gone: the next one begins anew, and its prompt tells
    what was said before.
    """
    if not version.resume:
        return Session()
    rows = ticket.turns.filter(agent_version__agent=version.agent_id, agent_version__adapter=version.adapter)
    for turn in rows.filter(purpose=purpose).select_related("agent_version").order_by("-seq"):
        if name := turn.session_id or _said(turn):
            return Session(name, Spent(**turn.session_usage) if turn.session_usage else None)
        if turn.resumed:
            return Session()
    return Session()


def _said(turn: Turn) -> str:
    """The session that a turn named before its worker was lost: nobody wrote it down, but its output is kept."""
    adapter = adapter_named(turn.agent_version.adapter)(turn.nonce, turn.ticket.key)
    pieces = AttemptOutput.objects.filter(attempt_id=turn.attempt_id).order_by("offset")
    for text in pieces.values_list("text", flat=True)[:PIECES_READ]:
        for event in adapter.feed(text.encode()):
            if isinstance(event, SessionStarted):
                return event.session_id
    return ""


def figures(session: Spent | None) -> dict[str, float]:
    """A session's usage as ``Turn.session_usage`` keeps it."""
    return asdict(session) if session else {}


def spent_on(ticket: Ticket, agent_id: int) -> Decimal:
    """What the agent's turns at this ticket have cost, in US dollars, as far as it tells."""
    rows = ticket.turns.filter(agent_version__agent=agent_id)
    return rows.aggregate(cost=Sum("cost_usd"))["cost"] or Decimal(0)


def over_budget(ticket: Ticket, version: AgentVersion) -> str:
    """Why no turn may begin for its cost; empty where one may."""
    if version.budget_usd is None:
        return ""
    spent = spent_on(ticket, version.agent_id)
    if spent < version.budget_usd:
        return ""
    return (
        f"The budget of {version.agent.name} for one ticket is spent: ${spent:.2f} of ${version.budget_usd:.2f}"
        f" on {ticket.key}. Raise it in the agent's profile, or assign another agent."
    )
