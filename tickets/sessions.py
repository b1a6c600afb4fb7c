"""The agent's own session: with which one a turn goes on, and what it has cost so far."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from django.db.models import Sum

from portal.core import clock
from tickets.models import Purpose, Ticket, Turn
from workers.agents.adapters import adapter_named
from workers.agents.adapters.events import SessionStarted
from workers.agents.adapters.launches import SESSION
from workers.agents.usage import Spent
from workers.failures import Parked
from workers.models import AgentVersion, AttemptOutput

# An agent names its session in the first lines that it prints.
PIECES_READ: Final = 4
DAY: Final = timedelta(hours=24)
# A turn that waits for money looks again so often: the budget may have been raised.
LOOK_SECONDS: Final = 300


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


def fresh(turn: Turn) -> str:
    """How we name a session that this turn begins, for agents that let us."""
    return f"shiproom-{turn.ticket.key.lower()}-{turn.seq}-{turn.nonce[-8:]}"


def _said(turn: Turn) -> str:
    """The session that a turn named before its worker was lost: nobody wrote it down, but its output is kept.

    Where we name it, and the agent does not, whatever it wrote shows that it had begun.
    """
    adapter = adapter_named(turn.agent_version.adapter)(turn.nonce, turn.ticket.key)
    pieces = AttemptOutput.objects.filter(attempt_id=turn.attempt_id).order_by("offset")
    for text in pieces.values_list("text", flat=True)[:PIECES_READ]:
        for event in adapter.feed(text.encode()):
            if isinstance(event, SessionStarted):
                return event.session_id
    ours = not turn.resumed and any(SESSION in part for part in turn.agent_version.command)
    return fresh(turn) if ours and pieces.exists() else ""


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


def within_day(version: AgentVersion) -> None:
    """Let a turn begin, or raise ``Parked`` where the agent's turns of the last 24 hours cost what they may.

    The bound is that of the newest profile: raised, it holds for what waits already.
    """
    newest = AgentVersion.objects.filter(agent=version.agent_id).order_by("-number").first() or version
    if newest.day_budget_usd is None:
        return
    begin = clock.now() - DAY
    rows = Turn.objects.filter(agent_version__agent=version.agent_id, started_at__gte=begin, cost_usd__gt=0)
    spent = rows.aggregate(cost=Sum("cost_usd"))["cost"] or Decimal(0)
    if spent < newest.day_budget_usd:
        return
    raise Parked(
        f"The budget of {version.agent.name} for a day is spent: its turns of the last 24 hours cost ${spent:.2f}, and"
        f" may cost ${newest.day_budget_usd:.2f}. It waits until they cost less, or until its profile says more.",
        delay_seconds=LOOK_SECONDS,
    )


def over_turn(version: AgentVersion, spent: Spent | None) -> str:
    """What is to be said of a turn that cost more than it may; empty where it did not."""
    if version.turn_budget_usd is None or spent is None or Decimal(str(spent.cost)) <= version.turn_budget_usd:
        return ""
    return (
        f"This turn cost ${spent.cost:.2f}, and one of {version.agent.name} may cost ${version.turn_budget_usd:.2f}."
        " What it did is kept. Look at it, and assign again what shall go on."
    )
