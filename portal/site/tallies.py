"""The numbers of the side navigation: one statement, each count bounded, within the reader's scopes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import IntegerField, QuerySet, Subquery

from deployments.models import Deployment, DeploymentState
from portal.core.models import User
from portal.site import queries
from tickets.models import Ticket, TicketState
from tickets.rights import project_ids

MOST: Final = 100


class Tally(NamedTuple):
    """``text`` is the number as it is shown; ``words`` say what is counted."""

    text: str
    words: str


class _Counted(Subquery):
    """How many rows a query has. The query brings its own bound."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()
    empty_result_set_value = 0


def tallies(user: User) -> dict[str, Tally]:
    """By the address of the entry; an entry with nothing to count is left out."""
    asked = _asked(user)
    counted = {name: _Counted(rows.order_by().values("pk")[:MOST]) for name, rows in asked.items()}
    row: Any = User.objects.filter(pk=user.pk).values(**counted).first()
    found: dict[str, int] = row or {}
    waiting = sum(found.get(name, 0) for name in asked if name not in {"tickets", "active"})
    numbers = {
        "/": (waiting, "waiting for a person"),
        "/tickets/": (found.get("tickets", 0), "not done"),
        "/reviews/": (found.get("reviews", 0), "to decide"),
        "/deployments/": (found.get("active", 0) + found.get("held", 0), "held or under way"),
        "/workers/": (found.get("dead", 0), "dead"),
    }
    return {
        url: Tally(f"{MOST - 1}+" if number >= MOST else str(number), words)
        for url, (number, words) in numbers.items()
        if number
    }


def _asked(user: User) -> dict[str, QuerySet[Any]]:
    projects = project_ids(user)
    active = Deployment.objects.filter(state__in=[DeploymentState.QUEUED, DeploymentState.RUNNING])
    stopped = [*queries.ANSWERS, *queries.ACCEPTANCE, *queries.STOPPED]
    return {
        "people": queries.tickets_in(stopped, projects),
        "reviews": queries.reviews_to_decide(projects),
        "findings": queries.critical_without_ticket(projects),
        "held": queries.deployments_held(projects),
        "dead": queries.dead_jobs(user),
        "tickets": queries.within(Ticket.objects.exclude(state=TicketState.DONE), "project", projects),
        "active": queries.within(active, "service__project", projects),
    }
