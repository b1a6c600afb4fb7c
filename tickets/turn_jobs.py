"""The jobs that carry a ticket's turn, or its merge."""

from __future__ import annotations

from typing import Final

from tickets.models import Purpose, Ticket, Workspace
from workers import queue
from workers.models import LIVE_STATES, AgentVersion, Job

TURN_KIND: Final = "turn"
MERGE_KIND: Final = "merge"


def live_job(ticket: Ticket) -> Job | None:
    """The job that carries the ticket's turn or merge, while it waits or runs."""
    kinds = (TURN_KIND, MERGE_KIND)
    return Job.objects.filter(subject=ticket.subject, kind__in=kinds, state__in=LIVE_STATES).first()


def enqueue_turn(ticket: Ticket, version: AgentVersion, purpose: Purpose = Purpose.WORK) -> Job:
    """The job of the ticket's next turn, in the transaction that queued the ticket.

    One ticket has one at most. It is for the machine on which the ticket's
    workspace lies, once there is one.
    """
    agent = version.agent
    queue.set_lane(agent.lane, agent.concurrency)
    return queue.enqueue(
        TURN_KIND,
        subject=ticket.subject,
        payload={"ticket": ticket.pk, "agent_version": version.pk, "purpose": purpose.value},
        unique_key=ticket.subject,
        lane=agent.lane,
        exclusive=True,
        audience=ticket.project.scope,
        host=Workspace.objects.filter(ticket=ticket).values_list("host", flat=True).first() or "",
        max_failures=version.max_failures,
    )
