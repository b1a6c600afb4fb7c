"""What deployments add to the pages of projects and tickets."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Count, Exists, OuterRef

from deployments import verdicts
from deployments.models import Environment, Hold, HoldState, Placement, Service
from deployments.queries import bounded
from portal.core import access
from portal.core.access import Role, within
from tickets.models import Merge, MergeState, Project, Ticket, TicketState
from tickets.panels import Panel, on_projects, on_tickets

SHOWN: Final = 50


def register() -> None:
    on_projects(places_of)
    on_tickets(stands_of)


def places_of(project: Project, reader: Any) -> Panel:
    services = Service.objects.filter(project=project).annotate(steps=Count("pipeline")).order_by("name")
    held = Hold.objects.filter(environment=OuterRef("pk"), state=HoldState.HOLDING)
    environments = Environment.objects.filter(project=project).annotate(held=Exists(held)).order_by("place", "name")
    policy = verdicts.policy_of(project)
    found, places = bounded(services, SHOWN), bounded(environments, SHOWN)
    return Panel(
        "deployments/project_panel.html",
        {
            "project": project,
            "services": found.rows,
            "services_cut": found.cut,
            "environments": places.rows,
            "environments_cut": places.cut,
            "policy": policy,
            "holding": verdicts.in_words(policy),
            "owns": access.may(reader, within(Role.OWNER), project.scope),
            "releases": access.may(reader, within(Role.RELEASER), project.scope),
        },
    )


class Stands(NamedTuple):
    """What stands in a place, and whether the ticket's accepted work is in it."""

    placement: Placement
    holds: bool


def stands_of(ticket: Ticket, reader: Any) -> Panel | None:
    """Whether the work on a ticket that is done stands somewhere; nothing where it has none, or is open again."""
    if ticket.state != TicketState.DONE:
        return None
    merges = set(Merge.objects.filter(ticket=ticket, state=MergeState.MERGED).values_list("pk", flat=True))
    if not merges:
        return None
    rows = Placement.objects.filter(service__project=ticket.project_id, release__isnull=False)
    rows = rows.select_related("service", "environment", "release__service", "deployment")
    found = bounded(rows.order_by("environment__place", "environment__name", "service__name"), SHOWN)
    stands = [Stands(row, not merges.isdisjoint(row.release.merges)) for row in found.rows]
    # Of several services the work is of one, mostly: the others say nothing.
    own = {one.placement.service_id for one in stands if one.holds}
    shown = [one for one in stands if not own or one.placement.service_id in own]
    return Panel("deployments/ticket_panel.html", {"stands": shown, "cut": found.cut})
