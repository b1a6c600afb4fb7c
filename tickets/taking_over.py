"""A person takes a ticket over from its agent, and hands it back.

While it is taken, its turn is stopped and none begins: ``turn_jobs`` refuses
one, in the transaction of the change, when the ticket's row is locked.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Any, NamedTuple

from django.db.models import F

from portal.core.clock import Wall
from portal.core.lifecycle import Refused, Stale
from portal.core.models import User
from portal.core.unit import unit_of_work
from tickets import conversation, turn_jobs, work
from tickets.locks import lock
from tickets.models import Ticket, TicketState, Workspace
from tickets.transitions import TICKET
from workers import queue
from workers.models import Agent


class Place(NamedTuple):
    """Where the work lies, and how it is got from there on that machine."""

    host: str
    path: str
    branch: str
    command: str


def take(ticket: Ticket, *, by: User, reason: str = "", expected_version: int | None = None) -> Ticket:
    """The ticket is ``by``'s: its turn is stopped, and none begins until it is handed back.

    Raises ``Refused`` where somebody has it, where it is done or being merged, and ``Stale``.
    """
    with unit_of_work() as done:
        _check_version(ticket, expected_version)
        # The job's row before the ticket's, as everywhere.
        stopped = _stop(ticket, reason.strip() or f"{by} took {ticket.key} over.")
        held = lock(ticket)
        job = turn_jobs.live_job(held)
        if job is not None and job.kind == turn_jobs.TURN_KIND and job.pk != stopped:
            # It was assigned between the two looks.
            raise Refused(f"{held.key} has changed in this moment. Look again, then decide.")
        if held.taken_at is not None:
            raise Refused(f"{held.taken_label} has {held.key} already. It can be handed back first.")
        if held.state in {TicketState.DONE, TicketState.MERGING}:
            raise Refused(f"{held.key} is {held.get_state_display().lower()}, so there is nothing to take over.")
        _write(held, taken_by=by, taken_label=str(by)[:254], taken_at=Wall())
        done.record("ticket.taken_over", held.subject, after={"taken_by": str(by)}, reason=reason)
        TICKET.announce(held)
    ticket.refresh_from_db()
    return ticket


def hand_back(
    ticket: Ticket, *, by: User, agent: Agent | None, message: str = "", expected_version: int | None = None
) -> Ticket:
    """Nobody has it any more; ``agent`` goes on with a turn that is given ``message``, where one is named.

    Raises ``Refused`` where nobody has it, where its turn is still being stopped, and where no turn of the
    agent could begin; nothing is changed then.
    """
    with unit_of_work() as done:
        held = lock(ticket)
        _check_version(held, expected_version)
        if held.taken_at is None:
            raise Refused(f"Nobody has taken {held.key} over, so it cannot be handed back.")
        if agent is not None and turn_jobs.live_job(held) is not None:
            raise Refused(f"The turn of {held.key} is still being stopped. Hand it back in a few seconds.")
        if message.strip():
            conversation.post(held, author=by, body=message)
        before = {"taken_by": held.taken_label}
        _write(held, taken_by=None, taken_label="", taken_at=None)
        done.record("ticket.handed_back", held.subject, before=before)
        TICKET.announce(held)
        if agent is not None:
            work.assign(held, agent)
    ticket.refresh_from_db()
    return ticket


def place_of(ticket: Ticket) -> Place | None:
    """Where its branch is, once there is one."""
    workspace = Workspace.objects.filter(ticket=ticket).first()
    if workspace is None:
        return None
    path, branch = shlex.quote(workspace.path), shlex.quote(workspace.branch)
    command = f"git fetch {path} {branch} && git switch -c {branch} FETCH_HEAD"
    return Place(workspace.host, workspace.path, workspace.branch, command)


def _stop(ticket: Ticket, reason: str) -> int | None:
    """Stop the turn that waits or runs; returns its job. One that ends in this very moment ends by itself."""
    job = turn_jobs.live_job(ticket)
    if job is None or job.kind != turn_jobs.TURN_KIND:
        return None
    with suppress(Refused):
        queue.cancel(job, reason=reason)
    return job.pk


def _check_version(ticket: Ticket, expected: int | None) -> None:
    now = Ticket.objects.filter(pk=ticket.pk).values_list("version", flat=True).first()
    if expected is not None and now is not None and now != expected:
        raise Stale(ticket.subject, expected, now)


def _write(held: Ticket, **fields: Any) -> None:
    """Under the lock of the row, and its version."""
    Ticket.objects.filter(pk=held.pk).update(version=F("version") + 1, **fields)
    held.refresh_from_db(fields=["version", *fields])
