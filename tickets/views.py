"""Pages of tickets: parse, one call inward, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import access
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.live import streams
from tickets import output, panels, queries, work
from tickets.fields import Form
from tickets.forms import AcceptForm, AssignForm, ReopenForm, StopForm
from tickets.models import Ticket, Turn, TurnState
from tickets.rights import is_key
from tickets.transitions import TICKET

# What a person may do to a ticket: the role it takes, and its form. TICKET says when.
ACTIONS: Final[dict[str, tuple[Role, type[Form]]]] = {
    "assign": (Role.OPERATOR, AssignForm),
    "stop": (Role.OPERATOR, StopForm),
    "accept": (Role.REVIEWER, AcceptForm),
    "reopen": (Role.REVIEWER, ReopenForm),
}


def find_ticket(key: str) -> Found | None:
    rows = Ticket.objects.select_related("project", "agent_version__agent", "workspace")
    ticket = rows.filter(key=key).first() if is_key(key) else None
    return Found(ticket, ticket.project.scope) if ticket else None


def find_turn(key: str, seq: int) -> Found | None:
    rows = Turn.objects.filter(ticket__key=key, seq=seq).select_related("ticket__project")
    turn = rows.first() if is_key(key) and seq < 2**31 else None
    return Found(turn, turn.ticket.project.scope) if turn else None


# One ticket -------------------------------------------------------------------


@page("tickets.ticket", within(Role.VIEWER), find=find_ticket)
def ticket(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    return render(request, "tickets/ticket.html", _everything(request, ticket))


@page("tickets.ticket_fragment", within(Role.VIEWER), find=find_ticket)
def ticket_fragment(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    return render(request, "tickets/ticket_body.html", _body(ticket))


@page("tickets.ticket_rail", within(Role.VIEWER), find=find_ticket)
def ticket_rail(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    cursors = streams.cursors(ticket.subject)
    return render(request, "tickets/ticket_rail.html", _rail(request, ticket) | {"live_cursors": cursors})


def _everything(request: HttpRequest, ticket: Ticket, tried: Form | None = None) -> dict[str, Any]:
    return _body(ticket) | _rail(request, ticket, tried)


def _body(ticket: Ticket) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(ticket.subject)
    shown, earlier = queries.turns_of(ticket)
    followed = [turn.output for turn in shown if turn.output]
    return {
        "ticket": ticket,
        "turns": shown,
        "earlier": earlier,
        "history": queries.ticket_history(ticket, shown),
        "live_cursors": cursors | {stream: at for written in followed for stream, at in written.cursors.items()},
    }


def _rail(request: HttpRequest, ticket: Ticket, tried: Form | None = None) -> dict[str, Any]:
    offered = [step for step in TICKET.allowed(ticket.state) if step.verb in ACTIONS]
    mine = [step for step in offered if access.may(request.user, within(ACTIONS[step.verb][0]), ticket.project.scope)]
    forms = {step.verb: ACTIONS[step.verb][1]() for step in mine}
    if tried is not None:
        # Refused or not, what was typed stays where it was typed.
        forms[tried.name] = tried
    if ticket.agent_version and "assign" in forms and not forms["assign"].is_bound:
        forms["assign"].initial["agent"] = ticket.agent_version.agent_id
    return {
        "ticket": ticket,
        "forms": forms,
        "held": [(step.label, ACTIONS[step.verb][0].label) for step in offered if step not in mine],
        "job": queries.live_job(ticket),
        "panels": panels.of_ticket(ticket, request.user),
        "tried": tried is not None,
    }


def _act(
    request: HttpRequest, ticket: Ticket, form: Form, act: Callable[[dict[str, Any]], Ticket], said: str
) -> HttpResponse:
    """One change asked for by a form: done and said, or the page again with the reason where the button was."""
    status = 422
    if form.is_valid():
        try:
            act(form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
            status = 409
        else:
            messages.success(request, said.format(ticket.key))
            return redirect(ticket)
    found = find_ticket(ticket.key)
    fresh = found.object if found else ticket
    return render(request, "tickets/ticket.html", _everything(request, fresh, form), status=status)


@page("tickets.assign", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def assign(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.assign(ticket, asked["agent"], expected_version=asked["expected_version"])

    return _act(request, ticket, AssignForm(request.POST), act, "{} waits for its turn.")


@page("tickets.stop", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def stop(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.stop(ticket, reason=asked["reason"] or "Stopped on its page.")

    return _act(request, ticket, StopForm(request.POST), act, "{}: its turn was told to stop.")


@page("tickets.accept", within(Role.REVIEWER), find=find_ticket, methods=("POST",))
def accept(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.accept(ticket, reason=asked["reason"], expected_version=asked["expected_version"])

    return _act(request, ticket, AcceptForm(request.POST), act, "{} is accepted.")


@page("tickets.reopen", within(Role.REVIEWER), find=find_ticket, methods=("POST",))
def reopen(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.reopen(ticket, reason=asked["reason"], expected_version=asked["expected_version"])

    return _act(request, ticket, ReopenForm(request.POST), act, "{} is open again.")


# Output -----------------------------------------------------------------------


@page("tickets.turn_output", within(Role.VIEWER), find=find_turn)
def turn_output(request: HttpRequest, turn: Turn, key: str, seq: int) -> HttpResponse:
    return output.as_text(turn.attempt_id, f"{key}-turn-{seq}.txt")


@page("tickets.turn_output_fragment", within(Role.VIEWER), find=find_turn)
def turn_output_fragment(request: HttpRequest, turn: Turn, key: str, seq: int) -> HttpResponse:
    return output.fragment(request, turn.attempt_id, running=turn.state == TurnState.RUNNING, name=seq)
