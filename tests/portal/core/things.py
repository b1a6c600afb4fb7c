"""Rows for the tests of the core, and what racing processes run."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction

from portal.core import identifiers
from portal.core.lifecycle import NotAllowedNow
from tickets.models import Project, ProjectCounter, Ticket
from tickets.transitions import TICKET
from tickets.work import create_ticket


def ticket_in(project: Project, state: str = "open", **fields: Any) -> Ticket:
    made = create_ticket(project, title="Mend the door", body="It squeaks.")
    Ticket.objects.filter(pk=made.pk).update(state=state, **fields)
    return Ticket.objects.get(pk=made.pk)


def begin_all(copies: list[Ticket], start: float) -> list[int]:
    """Move each copy, all racers at the same moments; the keys of those that were won."""
    won = []
    for n, copy in enumerate(copies):
        # A moment of its own for each round keeps the racers together.
        time.sleep(max(0.0, start + n * 0.02 - time.monotonic()))
        try:
            TICKET.move(copy, "begin")
        except NotAllowedNow:
            continue
        won.append(copy.pk)
    return won


def take_numbers(project: int, times: int) -> list[int]:
    taken = []
    for _ in range(times):
        with transaction.atomic():
            taken += identifiers.allocate(ProjectCounter, pk=project)
    return taken
