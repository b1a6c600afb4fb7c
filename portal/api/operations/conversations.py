"""The conversation of a ticket: read, and written to."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import operation
from portal.api.operations.tickets import ticket_by_key
from portal.api.shapes import Flag, Strict, bounded, moment
from portal.core import limits
from portal.core.access import Role, within
from tickets import conversation
from tickets.models import Delivery, Message


class MessageOut(Schema):
    number: int
    # person, agent or portal
    author_kind: str
    author: str
    body: str
    # for people only: no agent is given it
    internal: bool
    created_at: str
    withdrawn_at: str | None
    # the newest turn that took it, and whether it has read it: taken, acknowledged or returned
    turn: int | None
    delivery: str | None


class Messages(Schema):
    items: list[MessageOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Posted(Schema):
    message: MessageOut
    new: bool


class Asked(Strict):
    before: int | None = Field(None, ge=1, le=2**31 - 1)
    limit: int = Field(50, ge=1, le=100)


class MessageIn(Strict):
    body: str
    internal: Flag = False
    # the same key twice from the same author is one message
    idempotency_key: str = Field("", max_length=64)


def shown(message: Message) -> dict[str, Any]:
    taken = max(message.deliveries.all(), key=lambda delivery: delivery.pk, default=None)
    return {
        "number": message.number,
        "author_kind": message.author_kind,
        "author": message.author_label,
        "body": message.body if message.withdrawn_at is None else "",
        "internal": message.internal,
        "created_at": moment(message.created_at),
        "withdrawn_at": moment(message.withdrawn_at),
        "turn": taken.turn.seq if taken else None,
        "delivery": taken.state if taken else None,
    }


@operation(
    "get",
    "/tickets/{key}/messages",
    "api.messages",
    within(Role.VIEWER),
    find=ticket_by_key,
    query=Asked,
    response=Messages,
)
def messages(request: HttpRequest, key: str, asked: Query[Asked]) -> dict[str, Any]:
    """The messages of a ticket, newest first, and what became of each."""
    rows = Message.objects.filter(ticket=request.found).order_by("-number")  # type: ignore[attr-defined]
    if asked.before:
        rows = rows.filter(number__lt=asked.before)
    deliveries = Prefetch("deliveries", Delivery.objects.select_related("turn"))
    found = list(rows.prefetch_related(deliveries)[: asked.limit + 1])
    held = found[: asked.limit]
    more = len(found) > len(held)
    return {"items": [shown(message) for message in held], "next": str(held[-1].number) if more else None}


@operation(
    "post", "/tickets/{key}/messages", "api.message.post", within(Role.OPERATOR), find=ticket_by_key, response=Posted
)
def post(request: HttpRequest, key: str, body: MessageIn) -> dict[str, Any]:
    """Say something to whoever works on the ticket; the next turn takes it, unless it is internal."""
    text = bounded("body", body.body, limits.value("MESSAGE_MAX_CHARS"), required=True)
    message, made = conversation.post(
        request.found,  # type: ignore[attr-defined]
        author=request.user,  # type: ignore[arg-type]
        body=text,
        internal=body.internal,
        idempotency_key=body.idempotency_key,
    )
    return {"message": shown(message), "new": made}
