"""What the token's user was told, and that they have read it."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation
from portal.api.shapes import Strict, moment
from portal.core import notifications
from portal.core.access import OWN, SIGNED_IN
from portal.core.models import Notification

Place = Annotated[str, Field(max_length=40)]


class NotificationOut(Schema):
    number: int
    verb: str
    subject: str
    title: str
    # a path of the portal
    url: str
    at: str
    read_at: str | None


class Notifications(Schema):
    items: list[NotificationOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None
    # pass to mark as read all that there was; absent where there is nothing
    until: str | None = None


class Asked(Strict):
    """Which page, newest first; lines that are told again move to the top."""

    unread: bool = False
    before: Place | None = None
    limit: int = Field(50, ge=1, le=100)


class ReadIn(Strict):
    until: Place


class Read(Schema):
    read: int


def shown(row: Notification) -> dict[str, Any]:
    return {
        "number": row.pk,
        "verb": row.verb,
        "subject": row.subject,
        "title": row.title,
        "url": row.url,
        "at": moment(row.at),
        "read_at": moment(row.read_at),
    }


@operation("get", "/notifications", "api.notifications", SIGNED_IN, query=Asked, response=Notifications)
def listed(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    """What the user was told, newest first, but for projects that they may not see any more."""
    rows = notifications.unread(request.user) if asked.unread else notifications.seen_by(request.user)
    try:
        found = notifications.page(rows, asked.before, asked.limit)
    except ValueError as error:
        raise Unfit("before", str(error)) from error
    until = notifications.place_of(found.rows[0]) if found.rows else None
    return {"items": [shown(row) for row in found.rows], "next": found.older, "until": until}


@operation(
    "post",
    "/notifications/{int:number}/read",
    "api.notification.read",
    OWN,
    find=notifications.find,
    response=Read,
)
def read(request: HttpRequest, number: int) -> dict[str, Any]:
    """It was read; saying so again changes nothing."""
    return {"read": int(notifications.read(request.found))}  # type: ignore[attr-defined]


@operation("post", "/notifications/read", "api.notifications.read_all", SIGNED_IN, response=Read)
def read_all(request: HttpRequest, body: ReadIn) -> dict[str, Any]:
    """All were read that there were at ``until`` of a list; what came later stays unread."""
    try:
        return {"read": notifications.read_all(request.user, body.until)}
    except ValueError as error:
        raise Unfit("until", "until is what a list said of its newest line.") from error
