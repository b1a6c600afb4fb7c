"""The list of tickets, and the page that opens a new one."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access, limits
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from tickets import lists, opening, queries
from tickets.exporting import csv_response
from tickets.forms import NewTicketForm, TicketFilter
from tickets.lists import Asked
from tickets.models import TicketState
from tickets.queries import Page
from tickets.rights import require
from workers.models import Agent

CHIPS: Final = ("project", "state", "agent", "who", "findings")
AGENTS_OFFERED: Final = 200
COLUMNS: Final = (
    "Ticket", "Title", "State", "Worst open finding", "Finding", "Agent", "Turns", "Messages", "Opened", "Changed",
)  # fmt: skip


class Chip:
    """A filter in force, and the list without it."""

    def __init__(self, name: str, kept: dict[str, str], *, url: str) -> None:
        self.name, self.value = name, kept[name]
        left = urlencode({other: value for other, value in kept.items() if other != name})
        self.without = f"{url}?{left}" if left else url


@page("tickets.list", SIGNED_IN)
def tickets(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/list.html", _list(request))


@page("tickets.list_fragment", SIGNED_IN)
def tickets_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: Asked) -> Page:
        return queries.ticket_list(request.user, asked.wanted, asked.before)

    asked = lists.context(request, TicketFilter(request.GET), rows, role=Role.OPERATOR, fragment="tickets_fragment")
    chips = [Chip(name, asked["kept"], url=reverse("tickets")) for name in CHIPS if name in asked["kept"]]
    return asked | {"states": TicketState.values, "chips": chips}


@page("tickets.agents", SIGNED_IN)
def agents(request: HttpRequest) -> HttpResponse:
    """The names that the filter offers, asked for once somebody writes there."""
    # Who belongs to no project sees no ticket, and no agent either.
    here = access.is_admin(request.user) or bool(access.roles(request.user))
    rows = Agent.objects.all() if here else Agent.objects.none()
    names = rows.order_by("name").values_list("name", flat=True)[:AGENTS_OFFERED]
    return render(request, "tickets/agents.html", {"names": names})


@page("tickets.export", SIGNED_IN)
def export(request: HttpRequest) -> HttpResponse:
    """The filtered list as CSV: bounded, and its last line says so where it is cut."""
    wanted = lists.wanted_of(TicketFilter(request.GET))
    most = limits.value("EXPORT_MAX_ROWS")
    found = queries.matching(request.user, wanted).order_by("-id")[: most + 1]
    return csv_response("tickets.csv", COLUMNS, map(_cells, found), most)


def _cells(ticket: Any) -> list[Any]:
    return [
        ticket.key,
        ticket.title,
        ticket.get_state_display(),
        ticket.severity or "",
        ticket.reference or "",
        ticket.agent_version.agent.name if ticket.agent_version else "",
        ticket.turn_count,
        ticket.last_message,
        ticket.created_at.isoformat(timespec="seconds"),
        ticket.updated_at.isoformat(timespec="seconds"),
    ]


@page("tickets.new", SIGNED_IN, methods=("GET", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    form = NewTicketForm(request.user, request.POST or None, initial={"project": request.GET.get("project", "")})
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        require(request.user, Role.OPERATOR, asked["project"])
        ticket, made = opening.open_ticket(asked["project"], title=asked["title"], body=asked["body"])
        said = "is open" if made else "was opened with these words already"
        messages.success(request, f"{ticket.key} {said}.")
        return redirect(ticket)
    context = {"form": form, "projects": form.fields["project"].queryset.exists()}  # type: ignore[attr-defined]
    return render(request, "tickets/new.html", context, status=422 if form.errors else 200)
