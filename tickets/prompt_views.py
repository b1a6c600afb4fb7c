"""What the next turn of a ticket would be told, before anybody is."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core.access import Role, within
from portal.core.doors import page
from tickets import prompts
from tickets.attachment_views import find_ticket
from tickets.models import Purpose, Ticket


@page("tickets.prompt", within(Role.OPERATOR), find=find_ticket)
def prompt(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    """The exact text, but for the nonce, which no turn has before it begins."""
    asked = request.GET.get("purpose")
    purpose = Purpose.REVIEW if asked == Purpose.REVIEW else Purpose.WORK
    context = {
        "ticket": ticket,
        "purpose": purpose,
        "purposes": Purpose.choices,
        "preview": prompts.preview(ticket, purpose),
        "placeholder": prompts.PLACEHOLDER,
    }
    return render(request, "tickets/prompt.html", context)
