"""Councils in any state, one plain function each; what agents hand in comes in as the end of their turn brings it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews import documents
from reviews.councils import answering
from reviews.models import Council, Member, Review, ReviewState, Series
from tests.tickets import build
from tickets.models import Project, Purpose
from tickets.readers import Answer, Handed
from workers.models import Agent

_numbers = count(1)
COMMIT = "c" * 40
DOCUMENT = """# Review of the door

2 findings: 1 {severity}, 1 low.

## D-1: The hinge squeaks at night

**Severity:** {severity}
**File:** `src/door.txt:1`
**Status:** {status}

It wakes the harbour.

## D-2: {second}

**Severity:** Low
**File:** `src/{place}.txt:1`
**Status:** Open

Look closer.

## Verdict

{verdict}
"""


def document(
    verdict: str = "Do not ship: D-1.",
    severity: str = "Critical",
    second: str = "The lock is stiff",
    status: str = "Open",
) -> str:
    words = {"verdict": verdict, "severity": severity, "second": second, "status": status}
    return DOCUMENT.format(place=second.split()[-1], **words)


def council(
    of: Project,
    agents: Iterable[Agent] = (),
    people: Iterable[User] = (),
    *,
    state: str = "open",
    series: str = "Doors",
    **fields: Any,
) -> Council:
    """A council whose commit was looked up, past the transitions."""
    row, _ = Series.objects.get_or_create(project=of, name=series)
    fields = {"about": "branch", "asked": "main", "commit": COMMIT, "asked_label": "Operator", **fields}
    made = Council.objects.create(series=row, state=state, **fields)
    for agent in agents:
        Member.objects.create(council=made, agent=agent, label=agent.name, state="waiting")
    for person in people:
        Member.objects.create(council=made, user=person, label=str(person), state="waiting")
    return made


def agent(name: str = "") -> Agent:
    return build.agent(name or f"critic-{next(_numbers)}")


def hand_in(member: Member, text: str, payload: Any = "", problem: str = "") -> Member:
    """Its agent's turn ends with this document, which is read."""
    project = member.council.series.project
    ticket = build.ticket(project, "done", title=f"Review for {member.council}")
    turn = build.turn(ticket, purpose=Purpose.REVIEW)
    Member.objects.filter(pk=member.pk).update(ticket=ticket)
    with unit_of_work():
        answering.by_agent(Answer(ticket, turn, Handed("review.md", text.encode(), problem), payload))
    for review in Review.objects.filter(state=ReviewState.RECEIVED, series=member.council.series_id):
        documents.read_now(review)
    member.refresh_from_db()
    return member


def members(of: Council) -> list[Member]:
    return list(Member.objects.filter(council=of).select_related("council__series__project", "agent").order_by("pk"))


def disputed(of: Project, reader: User, *, by: User) -> Council:
    """Two agents and a person: they agree in one thing and dispute another, one agent failed, two voted."""
    one, other, third = agent("hawk"), agent("dove"), agent("mole")
    made = council(
        of,
        [one, other, third],
        [reader],
        title="Send first, delete by id and fence",
        base="b" * 40,
        instructions="Look at the **hinges** first, and at what wakes the harbour.",
    )
    hawk, dove, mole, _ = members(made)
    first = document("Do not ship before D-1 is fixed.").replace("The lock is stiff", "The lock is stiff in the rain")
    hand_in(hawk, first)
    hand_in(dove, document("Ship.", "Medium", "The lock is stiff in the rain"))
    hand_in(mole, "", problem="It handed in no document: no file, nothing attached, none in its last message.")
    for member in (hawk, dove):
        member.refresh_from_db()
        answering.of_member(member, by=by)
    return made
