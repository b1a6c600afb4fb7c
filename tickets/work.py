"""Tickets as people move them: open, assign, stop, accept, reopen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.core import identifiers
from portal.core.access import Role
from portal.core.lifecycle import Gone, Refused, amend
from portal.core.unit import unit_of_work
from tickets.models import Membership, Project, ProjectCounter, Ticket, TicketState
from tickets.transitions import TICKET
from workers import queue
from workers.models import LIVE_STATES, Agent, AgentVersion, Job

TURN_KIND = "turn"

Follower = Callable[[Ticket], None]
_accepted: list[Follower] = []
_reopened: list[Follower] = []


def when_accepted(follower: Follower) -> None:
    """A layer above moves what is its own, in the transaction that accepts a ticket."""
    _accepted.append(follower)


def when_reopened(follower: Follower) -> None:
    _reopened.append(follower)


def create_project(*, key: str, name: str, repository: str, owner: Any) -> Project:
    """A project with its counter, owned by ``owner``."""
    with unit_of_work() as work:
        project = Project.objects.create(key=key, name=name, repository=repository)
        ProjectCounter.objects.create(project=project)
        Membership.objects.create(project=project, user=owner, role=Role.OWNER.value)
        work.record("project.created", f"project:{project.pk}", after={"key": key, "name": name})
    return project


def create_ticket(
    project: Project, *, title: str, body: str = "", reason: str = "", number: int | None = None
) -> Ticket:
    """A ticket with the project's next number, or with ``number``, of which the caller knows that nobody has it."""
    with unit_of_work() as work:
        if number is None:
            number = identifiers.allocate(ProjectCounter, pk=project.pk)[0]
        key = f"{project.key}-{number}"
        ticket = Ticket.objects.create(
            project=project, number=number, key=key, title=title, body=body, state=TicketState.OPEN
        )
        work.record("ticket.created", ticket.subject, after={"title": title}, reason=reason)
        TICKET.announce(ticket)
    return ticket


def lock(ticket: Ticket) -> Ticket:
    """The row as it is now, locked until the transaction ends. Raises ``Gone``.

    Whoever adds to a ticket holds it: numbers have no gap, and a ticket that
    was closed meanwhile takes nothing.
    """
    held = Ticket.objects.select_for_update(no_key=True).filter(pk=ticket.pk).first()
    if held is None:
        raise Gone(f"Ticket {ticket.key} is not there any more.")
    return held


def live_job(ticket: Ticket) -> Job | None:
    """The job that carries the ticket's turn, while it waits or runs."""
    return Job.objects.filter(kind=TURN_KIND, unique_key=ticket.subject, state__in=LIVE_STATES).first()


def edit(ticket: Ticket, *, title: str, body: str, expected_version: int) -> Ticket:
    """Other words for a ticket that nobody changed meanwhile. Raises ``Stale`` or ``Gone``; nothing is stored then."""
    return amend(ticket, TICKET, "amended", expected_version=expected_version, title=title, body=body)


def assign(ticket: Ticket, agent: Agent, *, expected_version: int | None = None) -> Ticket:
    """Queue a turn of the agent's newest version; the job is enqueued in the transaction of the change."""
    version = AgentVersion.objects.filter(agent=agent).order_by("-number").first()
    if version is None or not agent.enabled:
        raise Refused(
            f"The agent {agent.name} cannot be assigned: it has no profile, or is switched off. An admin can mend that."
        )
    if not ticket.project.repository:
        raise Refused(
            f"The project {ticket.project.key} names no repository, so an agent has nothing to work on."
            " An owner can set it."
        )
    with unit_of_work():
        TICKET.move(ticket, "assign", expected_version=expected_version, agent_version=version)
        queue.set_lane(agent.lane, agent.concurrency)
        queue.enqueue(
            TURN_KIND,
            subject=ticket.subject,
            payload={"ticket": ticket.pk, "agent_version": version.pk},
            unique_key=ticket.subject,
            lane=agent.lane,
            exclusive=True,
            audience=ticket.project.scope,
        )
    return ticket


def stop(ticket: Ticket, *, reason: str) -> Ticket:
    """Stop the ticket's turn: at once where it waits, else as soon as its worker hears of it."""
    job = live_job(ticket)
    if job is None:
        raise Refused(f"{ticket.key} has no turn that could be stopped.")
    queue.cancel(job, reason=reason)
    ticket.refresh_from_db()
    return ticket


def accept(ticket: Ticket, *, reason: str, expected_version: int | None = None) -> Ticket:
    """Call the work done. An unproven turn takes a reason in words."""
    if ticket.state == TicketState.UNPROVEN and not reason.strip():
        raise Refused(
            f"{ticket.key} is unproven: the portal saw no new commit. Say why you accept it, or assign it again."
        )
    turn = ticket.turns.order_by("-seq").first()
    commit = turn.head_commit if turn else ""
    with unit_of_work():
        TICKET.move(ticket, "accept", reason=reason, expected_version=expected_version, accepted_commit=commit)
        for follower in _accepted:
            follower(ticket)
    return ticket


def reopen(ticket: Ticket, *, reason: str, expected_version: int | None = None) -> Ticket:
    with unit_of_work():
        TICKET.move(ticket, "reopen", reason=reason, expected_version=expected_version, accepted_commit="")
        for follower in _reopened:
            follower(ticket)
    return ticket
