"""Tickets: listed, read, written, assigned."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation, verbs
from portal.api.shapes import Paged, Versioned, bounded, page
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from portal.core.models import User
from reviews.models import FindingState
from tickets import taking_over, work
from tickets.keys import find_by_name
from tickets.models import Ticket, TicketState
from tickets.queries import seen_by
from tickets.rights import is_key
from workers.models import Agent

SHOWN = 50


class TicketOut(Schema):
    key: str
    project: str
    title: str
    state: str
    version: int
    allowed: list[str]
    # who has taken it over from its agent; no turn begins then
    taken_by: str


class TicketWhole(TicketOut):
    body: str
    # other names of it, and the findings that it is about
    aliases: list[str]
    findings: list[int]
    messages: int


class Tickets(Schema):
    items: list[TicketOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Paged):
    project: str = Field("", max_length=10)
    state: str = Field("", max_length=20)


class EditIn(Versioned):
    title: str
    body: str


class AssignIn(Versioned):
    agent: str = Field(max_length=60)


class WhyIn(Versioned):
    reason: str = Field("", max_length=2000)


class HandBackIn(Versioned):
    # empty: no agent goes on yet
    agent: str = Field("", max_length=60)
    message: str = ""


class StopIn(Schema):
    reason: str = Field("", max_length=2000)


def ticket_by_key(key: str) -> Found | None:
    """By its key, or by another name that it alone has."""
    ticket = find_by_name(key) if is_key(key) else None
    return Found(ticket, ticket.project.scope) if ticket else None


def shown(ticket: Ticket) -> dict[str, Any]:
    return {
        "key": ticket.key,
        "project": ticket.project.key,
        "title": ticket.title,
        "state": ticket.state,
        "version": ticket.version,
        "allowed": verbs(ticket, ticket.state),
        "taken_by": ticket.taken_label,
    }


def whole(ticket: Ticket) -> dict[str, Any]:
    findings = ticket.findings.exclude(state=FindingState.WITHDRAWN).order_by("pk")
    return shown(ticket) | {
        "body": ticket.body,
        "aliases": list(ticket.aliases.order_by("pk").values_list("key", flat=True)[:SHOWN]),
        "findings": list(findings.values_list("pk", flat=True)[:SHOWN]),
        "messages": ticket.last_message,
    }


@operation("get", "/tickets", "api.tickets", SIGNED_IN, query=Listing, response=Tickets)
def tickets(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The tickets that the token's user sees, newest first."""
    if listing.state and listing.state not in TicketState.values:
        raise Unfit("state", f"state is one of: {', '.join(TicketState.values)}.")
    rows = seen_by(request.user, Ticket.objects.select_related("project").defer("body"))
    if listing.project:
        rows = rows.filter(project__key=listing.project)
    if listing.state:
        rows = rows.filter(state=listing.state)
    return page(rows, listing, shown)


@operation("get", "/tickets/{key}", "api.ticket", within(Role.VIEWER), find=ticket_by_key, response=TicketWhole)
def ticket(request: HttpRequest, key: str) -> dict[str, Any]:
    return whole(request.found)  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/edit", "api.ticket.edit", within(Role.OPERATOR), find=ticket_by_key, response=TicketWhole
)
def edit(request: HttpRequest, key: str, body: EditIn) -> dict[str, Any]:
    """Other words for it; an old ``version`` is refused, and nothing is written."""
    title = bounded("title", " ".join(body.title.split()), limits.value("TITLE_MAX_CHARS"), required=True)
    text = bounded("body", body.body, limits.value("BODY_MAX_CHARS"))
    return whole(work.edit(request.found, title=title, body=text, expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/assign", "api.ticket.assign", within(Role.OPERATOR), find=ticket_by_key, response=TicketOut
)
def assign(request: HttpRequest, key: str, body: AssignIn) -> dict[str, Any]:
    """Queue a turn; ``version`` is the ticket's as it was read, so a repeated call is refused, not doubled."""
    return shown(work.assign(request.found, _agent(body.agent), expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/review", "api.ticket.review", within(Role.OPERATOR), find=ticket_by_key, response=TicketOut
)
def review(request: HttpRequest, key: str, body: AssignIn) -> dict[str, Any]:
    """Queue a turn in which another agent reads the work."""
    return shown(work.have_reviewed(request.found, _agent(body.agent), expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/stop", "api.ticket.stop", within(Role.OPERATOR), find=ticket_by_key, response=TicketOut
)
def stop(request: HttpRequest, key: str, body: StopIn) -> dict[str, Any]:
    """End the turn that waits or runs; a running one ends once its worker has heard of it."""
    return shown(work.stop(request.found, reason=_reason(body.reason) or "Stopped by the API."))  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/take", "api.ticket.take", within(Role.OPERATOR), find=ticket_by_key, response=TicketOut
)
def take(request: HttpRequest, key: str, body: WhyIn) -> dict[str, Any]:
    """Take it over from its agent: its turn is stopped, and none begins until it is handed back."""
    by = cast(User, request.user)
    return shown(taking_over.take(request.found, by=by, reason=_reason(body.reason), expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post",
    "/tickets/{key}/hand-back",
    "api.ticket.hand_back",
    within(Role.OPERATOR),
    find=ticket_by_key,
    response=TicketOut,
)
def hand_back(request: HttpRequest, key: str, body: HandBackIn) -> dict[str, Any]:
    """Hand it back: nobody has it any more, and the agent, where one is named, goes on with the message."""
    message = bounded("message", body.message, limits.value("MESSAGE_MAX_CHARS"))
    handed = taking_over.hand_back(
        request.found,  # type: ignore[attr-defined]
        by=cast(User, request.user),
        agent=_agent(body.agent) if body.agent else None,
        message=message,
        expected_version=body.version,
    )
    return shown(handed)


@operation(
    "post", "/tickets/{key}/accept", "api.ticket.accept", within(Role.REVIEWER), find=ticket_by_key, response=TicketOut
)
def accept(request: HttpRequest, key: str, body: WhyIn) -> dict[str, Any]:
    """Take the work in: it is merged by a job, and the ticket is done once that has ended."""
    by = cast(User, request.user)
    return shown(work.accept(request.found, by=by, reason=_reason(body.reason), expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/reopen", "api.ticket.reopen", within(Role.REVIEWER), find=ticket_by_key, response=TicketOut
)
def reopen(request: HttpRequest, key: str, body: WhyIn) -> dict[str, Any]:
    reason = bounded("reason", body.reason, 2000, required=True)
    return shown(work.reopen(request.found, reason=reason, expected_version=body.version))  # type: ignore[attr-defined]


def _agent(name: str) -> Agent:
    agent = Agent.objects.filter(name=name).first()
    if agent is None:
        raise Unfit("agent", f"There is no agent {name}.")
    return agent


def _reason(text: str) -> str:
    """A reason may be left out; one that is given can be read."""
    return bounded("reason", text, 2000, required=bool(text))
