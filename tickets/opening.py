"""A ticket that a person opens: one, however often the button was pressed."""

from __future__ import annotations

from typing import Final

from portal.core.clock import Wall
from portal.core.unit import unit_of_work
from tickets.models import Project, ProjectCounter, Ticket
from tickets.work import create_ticket

TWIN_SECONDS: Final = 60


def open_ticket(project: Project, *, title: str, body: str) -> tuple[Ticket, bool]:
    """``(ticket, made)``: the same words in the same project within a minute are the same ticket."""
    with unit_of_work():
        # The lock that numbers are allocated under: the second click waits for the first, then finds its ticket.
        ProjectCounter.objects.select_for_update().get(pk=project.pk)
        recent = Ticket.objects.filter(project=project, title=title, body=body, created_at__gte=Wall(-TWIN_SECONDS))
        twin = recent.order_by("-number").first()
        if twin:
            return twin, False
        return create_ticket(project, title=title, body=body), True
