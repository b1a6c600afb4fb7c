"""The list of tickets, and the page that opens a new one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from tickets import lists, opening, queries
from tickets.forms import NewTicketForm, TicketFilter
from tickets.lists import Asked
from tickets.models import TicketState
from tickets.queries import Page
from tickets.rights import require


@page("tickets.list", SIGNED_IN)
def tickets(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/list.html", _list(request))


@page("tickets.list_fragment", SIGNED_IN)
def tickets_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: Asked) -> Page:
        return queries.ticket_list(request.user, before=asked.before, **asked.wanted)

    asked = lists.context(request, TicketFilter(request.GET), rows, role=Role.OPERATOR, fragment="tickets_fragment")
    return asked | {"states": TicketState.choices}


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
