"""Tickets, agents and turns, one plain function each."""

from __future__ import annotations

from itertools import count
from typing import Any

from portal.core.clock import now
from tickets.models import Message, Project, Ticket, Turn
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


def talk(of: Ticket, operator: Any, reviewer: Any) -> Ticket:
    """A conversation with everything in it: a turn that was read, one that failed, one that runs; notes and a file."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from tickets import conversation

    def say(author: Any, body: str, **options: Any) -> Message:
        return conversation.post(of, author=author, body=body, **options)[0]

    Ticket.objects.filter(pk=of.pk).update(title="Outbox drain deletes rows it never sent", body=TASK, state="open")
    of.refresh_from_db()
    say(
        reviewer,
        "The drain selects, **deletes**, then sends. A process that dies between the last two loses the batch.",
    )
    first = turn(of, "running", seq=1, output="$ pytest tests/outbox -q\n41 passed\n")
    conversation.take(of, first)
    conversation.acknowledge(first)
    payload = "The drain sends first and deletes by id and fence; all 41 tests pass."
    Turn.objects.filter(pk=first.pk).update(
        state="done", payload=payload, head_commit=HEAD, exit_code=0, ended_at=now(), verdict="A new commit."
    )
    conversation.said(first, payload)
    say(
        operator,
        "Not proven, so back to you: `ci/retry.yml` is not yours to change.\n\n1. Undo that file.\n2. Keep the test.",
    )
    second = turn(of, "running", seq=2)
    conversation.take(of, second)
    conversation.give_back(second)
    Turn.objects.filter(pk=second.pk).update(state="failed", exit_code=137, ended_at=now(), verdict="It was killed.")
    say(reviewer, "The customer asked again on Monday.", internal=True)
    conversation.withdraw(say(operator, "Never mind the metrics."), by=operator)
    third = turn(
        of, "running", seq=3, output="$ git checkout origin/main -- ci/retry.yml\n$ pytest tests/outbox -q\n.."
    )
    conversation.take(of, third)
    Ticket.objects.filter(pk=of.pk).update(state="running", agent_version=third.agent_version)
    log = SimpleUploadedFile("drain.log", b"12:00:01 sent 41\n12:00:02 killed\n", "text/plain")
    say(operator, CODE, files=[log])
    of.refresh_from_db()
    return of


TASK = """The drain selects, deletes, then sends. Send first, and delete by id **and** fence:
a crash may repeat a delivery, never lose one.

- `relay/outbox.py`, lines 88 to 92
- see <https://example.org/outbox>
"""
CODE = """When this passes, also add the row count of each drain to the metrics:

```python
def drain(conn, batch):
    for row in conn.execute(CLAIM_DUE, (batch,)):
        send(row)
        conn.execute(DELETE_SENT, (row.id, row.fence))  # by id and fence, so that a crash repeats and never loses
```

| metric | labels |
|---|---|
| `drain_rows` | `lane`, `outcome` |
"""
