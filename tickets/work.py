"""Tickets as people move them: open, assign, have reviewed, stop, accept, reopen."""

from __future__ import annotations

from typing import Any, Final

from portal.core import cause as causes
from portal.core import identifiers
from portal.core.access import Role
from portal.core.lifecycle import Refused, amend
from portal.core.models import User
from portal.core.unit import unit_of_work
from tickets import followers, merging, questions
from tickets.locks import lock
from tickets.models import (
    Membership,
    Project,
    ProjectCounter,
    Purpose,
    Ticket,
    TicketState,
    Turn,
    TurnState,
)
from tickets.transitions import TICKET
from tickets.turn_jobs import TURN_KIND, able, enqueue_turn, live_job, newest_work, version_for
from workers import queue
from workers.models import Agent

_ACCEPTABLE: Final = TICKET.transitions["accept"].sources


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


def edit(ticket: Ticket, *, title: str, body: str, expected_version: int) -> Ticket:
    """Other words for a ticket that nobody changed meanwhile. Raises ``Stale`` or ``Gone``; nothing is stored then."""
    return amend(ticket, TICKET, "amended", expected_version=expected_version, title=title, body=body)


def assign(ticket: Ticket, agent: Agent, *, expected_version: int | None = None) -> Ticket:
    """Queue a turn of the agent's newest version; the job is enqueued in the transaction of the change."""
    version = able(ticket, agent)
    with unit_of_work():
        TICKET.move(ticket, "assign", expected_version=expected_version, agent_version=version)
        questions.set_aside(ticket, f"{ticket.key} was assigned without an answer.")
        enqueue_turn(ticket, version)
    return ticket


def have_reviewed(ticket: Ticket, agent: Agent, *, expected_version: int | None = None) -> Ticket:
    """Queue a turn in which another agent reads the work and approves it, or says what is to change."""
    version = able(ticket, agent)
    turn = newest_work(ticket)
    if turn is None:
        raise Refused(f"{ticket.key} has no turn whose work could be reviewed.")
    if turn.agent_version.agent_id == agent.pk:
        raise Refused(f"{agent.name} did the work of turn {turn.seq}, so another agent has to review it.")
    with unit_of_work():
        TICKET.move(ticket, "review", expected_version=expected_version)
        enqueue_turn(ticket, version, Purpose.REVIEW)
    return ticket


def have_read(project: Project, agent: Agent, *, title: str, body: str, reason: str, host: str = "") -> Ticket:
    """A ticket of its own on which ``agent`` reads what the layer above says (see ``readers``), and changes nothing.

    ``host`` is the only machine whose clone has what is read, where it is one.
    Raises ``Refused`` where no turn of the agent could begin.
    """
    version = version_for(agent, project)
    with unit_of_work():
        ticket = create_ticket(project, title=title, body=body, reason=reason)
        TICKET.move(ticket, "assign", agent_version=version)
        enqueue_turn(ticket, version, Purpose.REVIEW, host=host)
    return ticket


def stop(ticket: Ticket, *, reason: str) -> Ticket:
    """Stop the ticket's turn: at once where it waits, else as soon as its worker hears of it."""
    job = live_job(ticket)
    if job is None or job.kind != TURN_KIND:
        raise Refused(f"{ticket.key} has no turn that could be stopped.")
    with unit_of_work() as work:
        queue.cancel(job, reason=reason)
        work.record("ticket.stop_asked", ticket.subject, reason=reason)
        # A running one ends later: until then every open page says that it was told to.
        TICKET.announce(ticket)
    ticket.refresh_from_db()
    return ticket


def approval_of(ticket: Ticket, turn: Turn) -> Turn | None:
    """The review that approved exactly the commit that ``turn`` left, by another agent, unless a later one refused it.

    A refusal is lifted by another approval, never by an older one.
    """
    judged = (TurnState.DONE, TurnState.BLOCKED, TurnState.NEEDS_INPUT)
    rows = ticket.turns.filter(purpose=Purpose.REVIEW, state__in=judged, base_commit=turn.head_commit)
    newest = rows.exclude(agent_version__agent=turn.agent_version.agent_id).order_by("-seq").first()
    return newest if newest is not None and newest.state == TurnState.DONE else None


def accept(ticket: Ticket, *, by: User, reason: str, expected_version: int | None = None) -> Ticket:
    """Take the work in: its branch is merged, and the ticket is done once that is so.

    An unproven turn takes a reason in words. Without a commit there is nothing
    to merge, and the ticket is done at once.
    """
    if causes.current().actor.kind == "agent":
        raise Refused("An agent accepts no work. A person does, or has it reviewed by another agent first.")
    with unit_of_work():
        # What is accepted is what the row's state speaks of: no turn begins or ends between the two looks.
        held = lock(ticket)
        if held.state == TicketState.UNPROVEN and not reason.strip():
            raise Refused(
                f"{ticket.key} is unproven: what its turn claims was not seen to hold."
                " Say why you accept it, or assign it again."
            )
        turn = newest_work(held)
        commit = turn.head_commit if turn else ""
        work = turn if turn is not None and merging.has_work(held, commit) else None
        if work is not None and held.project.second_agent and held.state in _ACCEPTABLE:
            _check_approved(held, work)
        TICKET.move(ticket, "accept", reason=reason, expected_version=expected_version, accepted_commit=commit)
        if work is not None:
            merging.request(ticket, work, by=by)
        else:
            TICKET.move(ticket, "land", reason="There was no commit to merge.")
            followers.accepted.tell(ticket)
    return ticket


def _check_approved(ticket: Ticket, turn: Turn) -> None:
    if ticket.state == TicketState.UNPROVEN:
        raise Refused(
            f"{ticket.project.key} takes work in once another agent has approved it, and only proven work is reviewed."
            f" Assign {ticket.key} again."
        )
    if approval_of(ticket, turn) is None:
        raise Refused(
            f"{ticket.project.key} wants another agent's review first, and none has approved"
            f" {turn.head_commit[:8]}. Have it reviewed by an agent other than {turn.agent_version.agent.name}."
        )


def reopen(ticket: Ticket, *, reason: str, expected_version: int | None = None) -> Ticket:
    """The work is not done after all. What was merged stays merged; a next turn begins on top of it."""
    with unit_of_work():
        TICKET.move(
            ticket, "reopen", reason=reason, expected_version=expected_version, accepted_commit="", merged_commit=""
        )
        followers.reopened.tell(ticket)
    return ticket
