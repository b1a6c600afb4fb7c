"""Tickets, agents and turns, one plain function each."""

from __future__ import annotations

from itertools import count
from typing import Any

from portal.core.clock import now
from tickets.models import Project, Ticket, Turn
from workers.models import Agent, AgentVersion, Attempt, AttemptOutput, Job

_numbers = count(1)
BASE, HEAD = "a" * 40, "b" * 40


def agent(name: str = "claude-dev", *, profile: bool = True, **fields: Any) -> Agent:
    made = Agent.objects.create(name=name, **fields)
    if profile:
        AgentVersion.objects.create(
            agent=made, number=1, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
        )
    return made


def ticket(of: Project, state: str = "open", **fields: Any) -> Ticket:
    """A ticket in any state, past the transitions, with a number that no counter gives."""
    number = 10_000 + next(_numbers)
    fields = {"title": f"Ticket {number}", **fields}
    return Ticket.objects.create(project=of, number=number, key=f"{of.key}-{number}", state=state, **fields)


def attempt(subject: str = "", audience: str = "", output: str = "") -> Attempt:
    job = Job.objects.create(kind="turn", pool="turns", subject=subject, audience=audience, state="succeeded", fence=1)
    made = Attempt.objects.create(job=job, fence=1, worker="w", outcome="succeeded", ended_at=now())
    if output:
        AttemptOutput.objects.create(attempt=made, offset=0, length=len(output.encode()), text=output)
    return made


def turn(of: Ticket, state: str = "done", *, seq: int = 1, output: str = "", **fields: Any) -> Turn:
    version = AgentVersion.objects.first() or AgentVersion.objects.get(agent=agent())
    fields = {"base_commit": BASE, **fields}
    carrier = attempt(of.subject, of.project.scope, output)
    return Turn.objects.create(
        ticket=of, seq=seq, attempt=carrier, agent_version=version, nonce="n", state=state, **fields
    )


def repository(of: Project, path: str = "/srv/git/mc") -> Project:
    Project.objects.filter(pk=of.pk).update(repository=path)
    of.refresh_from_db()
    return of
