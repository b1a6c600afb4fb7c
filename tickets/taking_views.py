"""Taking a ticket over from its agent, and handing it back, on the ticket's page."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.core.access import Role, within
from portal.core.doors import page
from portal.core.models import User
from tickets import taking_over, views
from tickets.forms import HandBackForm, TakeForm
from tickets.models import Ticket


@page("tickets.take", within(Role.OPERATOR), find=views.find_ticket, methods=("POST",))
def take(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    form = TakeForm(request.POST)

    def act(asked: dict[str, Any]) -> Ticket:
        return taking_over.take(ticket, by=cast(User, request.user), **asked)

    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, f"{ticket.key} is yours. No agent begins on it until it is handed back.")
        return redirect(ticket)
    return views.again(request, ticket, form, status)


@page("tickets.hand_back", within(Role.OPERATOR), find=views.find_ticket, methods=("POST",))
def hand_back(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    form = HandBackForm(request.POST)

    def act(asked: dict[str, Any]) -> Ticket:
        return taking_over.hand_back(ticket, by=cast(User, request.user), **asked)

    status, _ = form.carry_out(act)
    if status == 200:
        goes_on = f"waits for a turn of {form.cleaned_data['agent']}" if form.cleaned_data["agent"] else "is nobody's"
        messages.success(request, f"Handed back. {ticket.key} {goes_on}.")
        return redirect(ticket)
    return views.again(request, ticket, form, status)
