"""The operations of the API: parse, one call inward, answer."""

import base64
import binascii
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Schema
from ninja.errors import HttpError
from pydantic import ConfigDict, StrictInt

from portal.api.doors import api, operation
from portal.core import access, limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from reviews.documents import receive
from reviews.models import Review
from tickets import work
from tickets.models import Project, Ticket, TicketState
from workers.models import Agent

__all__ = ["api"]


class Strict(Schema):
    """A name that is not declared is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class TicketOut(Schema):
    key: str
    project: str
    title: str
    state: str
    version: int
    allowed: list[str]


class Page(Schema):
    items: list[TicketOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Strict):
    project: str = Field("", max_length=10)
    state: str = Field("", max_length=20)
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(50, ge=1, le=100)


class AssignIn(Strict):
    agent: str = Field(max_length=60)
    # strict: true and "1" are no versions
    version: StrictInt = Field(ge=1, le=2**31 - 1)


class ReviewIn(Strict):
    series: str = Field(min_length=1, max_length=200, pattern=r"\S")
    file_name: str = Field("", max_length=200)
    # the document's bytes, so that what is stored is what was sent
    content_base64: str


class ReviewOut(Schema):
    id: int
    series: str
    version: int
    state: str
    sha256: str
    new: bool


def project_by_key(key: str) -> Found | None:
    project = Project.objects.filter(key=key).first()
    return Found(project, project.scope) if project else None


def ticket_by_key(key: str) -> Found | None:
    ticket = Ticket.objects.select_related("project").filter(key=key).first()
    return Found(ticket, ticket.project.scope) if ticket else None


def shown(ticket: Ticket) -> dict[str, Any]:
    from tickets.transitions import TICKET

    return {
        "key": ticket.key,
        "project": ticket.project.key,
        "title": ticket.title,
        "state": ticket.state,
        "version": ticket.version,
        "allowed": [step.verb for step in TICKET.allowed(ticket.state) if step.label],
    }


@operation("get", "/me", "api.me", SIGNED_IN)
def me(request: HttpRequest) -> dict[str, Any]:
    user = request.user
    return {"email": user.email, "roles": {scope: role.label for scope, role in access.roles(user).items()}}  # type: ignore[union-attr]


@operation("get", "/openapi.json", "api.openapi", SIGNED_IN, include_in_schema=False)
def openapi(request: HttpRequest) -> dict[str, Any]:
    """What this API can do, in OpenAPI's words."""
    return dict(api.get_openapi_schema())


@operation("get", "/tickets", "api.tickets", SIGNED_IN, query=Listing, response=Page)
def tickets(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The tickets that the token's user sees, newest first."""
    if listing.state and listing.state not in TicketState.values:
        raise HttpError(400, f"state is one of: {', '.join(TicketState.values)}.")
    rows = Ticket.objects.select_related("project").order_by("-id")
    if not access.is_admin(request.user):
        mine = [scope.partition(":") for scope in access.roles(request.user)]
        rows = rows.filter(project_id__in=[int(pk) for scheme, _, pk in mine if scheme == "project"])
    if listing.project:
        rows = rows.filter(project__key=listing.project)
    if listing.state:
        rows = rows.filter(state=listing.state)
    if listing.before:
        rows = rows.filter(pk__lt=listing.before)
    found = list(rows[: listing.limit + 1])
    page = found[: listing.limit]
    return {"items": [shown(ticket) for ticket in page], "next": str(page[-1].pk) if len(found) > len(page) else None}


@operation("get", "/tickets/{key}", "api.ticket", within(Role.VIEWER), find=ticket_by_key, response=TicketOut)
def ticket(request: HttpRequest, key: str) -> dict[str, Any]:
    return shown(request.found)  # type: ignore[attr-defined]


@operation(
    "post", "/tickets/{key}/assign", "api.ticket.assign", within(Role.OPERATOR), find=ticket_by_key, response=TicketOut
)
def assign(request: HttpRequest, key: str, body: AssignIn) -> dict[str, Any]:
    """Queue a turn; ``version`` is the ticket's as it was read, so a repeated call is refused, not doubled."""
    agent = Agent.objects.filter(name=body.agent).first()
    if agent is None:
        raise HttpError(400, f"There is no agent {body.agent}.")
    return shown(work.assign(request.found, agent, expected_version=body.version))  # type: ignore[attr-defined]


@operation(
    "post",
    "/projects/{key}/reviews",
    "api.review.upload",
    within(Role.OPERATOR),
    find=project_by_key,
    response=ReviewOut,
)
def upload(request: HttpRequest, key: str, body: ReviewIn) -> dict[str, Any]:
    """Store a document and have it read. The same document again is answered with the review that is there."""
    most = limits.value("DOCUMENT_MAX_BYTES")
    if len(body.content_base64) > most * 4 // 3 + 4:
        raise HttpError(413, f"A document has at most {most} bytes.")
    try:
        content = base64.b64decode(body.content_base64, validate=True)
    except (binascii.Error, ValueError):
        raise HttpError(400, "content_base64 is not base64.") from None
    if not content or len(content) > most:
        raise HttpError(413 if content else 400, f"A document has 1 to {most} bytes; yours has {len(content)}.")
    project: Project = request.found  # type: ignore[attr-defined]
    review, made = receive(project, series_name=body.series, content=content, file_name=body.file_name)
    return _review(review, made)


def _review(review: Review, made: bool) -> dict[str, Any]:
    return {
        "id": review.pk,
        "series": review.series.name,
        "version": review.number,
        "state": review.state,
        "sha256": review.digest,
        "new": made,
    }
