"""What carries a ticket on: whether a turn could begin, the jobs of turns and merges, and the newest work."""

from __future__ import annotations

from typing import Final

from portal.core.lifecycle import Refused
from tickets import sessions
from tickets.models import Project, Purpose, Ticket, Turn, Workspace
from workers import queue
from workers.models import LIVE_STATES, Agent, AgentVersion, Job

TURN_KIND: Final = "turn"
MERGE_KIND: Final = "merge"


def live_job(ticket: Ticket) -> Job | None:
    """The job that carries the ticket's turn or merge, while it waits or runs."""
    kinds = (TURN_KIND, MERGE_KIND)
    return Job.objects.filter(subject=ticket.subject, kind__in=kinds, state__in=LIVE_STATES).first()


def newest_work(ticket: Ticket) -> Turn | None:
    """The newest turn that was to do the work, with what was measured of it but for the diff."""
    rows = ticket.turns.filter(purpose=Purpose.WORK).select_related("agent_version__agent", "measurement")
    return rows.defer("measurement__diff").order_by("-seq").first()


def refuse_taken(ticket: Ticket) -> None:
    """No turn begins while a person has the ticket. Raises ``Refused``."""
    if ticket.taken_at is not None:
        raise Refused(
            f"{ticket.taken_label} has taken {ticket.key} over, so no agent begins on it until it is handed back."
        )


def able(ticket: Ticket, agent: Agent) -> AgentVersion:
    """The agent's newest version, so that what an admin mends counts, where a turn of it could begin at all.

    Raises ``Refused``.
    """
    refuse_taken(ticket)
    version = version_for(agent, ticket.project)
    if spent := sessions.over_budget(ticket, version):
        raise Refused(spent)
    return version


def version_for(agent: Agent, project: Project) -> AgentVersion:
    """The agent's newest version, where it could work in ``project`` at all. Raises ``Refused``."""
    version = AgentVersion.objects.filter(agent=agent).select_related("agent").order_by("-number").first()
    if version is None or not agent.enabled:
        lacks = "has no profile" if version is None else "is switched off"
        raise Refused(
            f"The agent {agent.name} {lacks}, so no turn of it can begin."
            " Assign another agent, or have an admin mend that."
        )
    if not project.repository:
        raise Refused(
            f"The project {project.key} names no repository, so an agent has nothing to work on. An owner can set it."
        )
    return version


def enqueue_turn(ticket: Ticket, version: AgentVersion, purpose: Purpose = Purpose.WORK, *, host: str = "") -> Job:
    """The job of the ticket's next turn, in the transaction that queued the ticket.

    One ticket has one at most. It is for the machine on which the ticket's
    workspace lies, once there is one; until then for ``host``, where one is
    named. Raises ``Refused`` where somebody took the ticket over meanwhile.
    """
    refuse_taken(Ticket.objects.only("key", "taken_at", "taken_label").get(pk=ticket.pk))
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
        host=Workspace.objects.filter(ticket=ticket).values_list("host", flat=True).first() or host,
        max_failures=version.max_failures,
    )
