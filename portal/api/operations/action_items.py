"""Action items of a review: ticked, and given to somebody."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from portal.api.doors import operation
from portal.api.shapes import Flag, Strict, moment
from portal.core.access import Role, within
from portal.core.doors import Found
from portal.core.lifecycle import Refused
from reviews import action_items
from reviews.action_views import find_item as find_asked
from reviews.models import ActionItem


class ItemOut(Schema):
    review: int
    n: int
    text: str
    # by the document's word; null where it does not say
    done: bool | None
    # by a person's word, which stands above it
    ticked: bool | None
    ticked_by: str
    ticked_at: str | None
    owner: str | None


class TickIn(Strict):
    done: Flag


class OwnerIn(Strict):
    # e-mail addresses; null is nobody. seen: who owned it when that was decided
    owner: str | None = Field(None, max_length=254)
    seen: str | None = Field(None, max_length=254)


def find_item(number: int, n: int) -> Found | None:
    found = find_asked(number, n)
    return Found(found.object.item, found.scope) if found else None


def shown(item: ActionItem) -> dict[str, Any]:
    return {
        "review": item.review_id,
        "n": item.n,
        "text": item.text,
        "done": item.done,
        "ticked": item.ticked,
        "ticked_by": item.ticked_by,
        "ticked_at": moment(item.ticked_at),
        "owner": item.owner.email if item.owner else None,
    }


@operation(
    "post",
    "/reviews/{int:number}/action_items/{int:n}/tick",
    "api.action_item.tick",
    within(Role.OPERATOR),
    find=find_item,
    response=ItemOut,
)
def tick(request: HttpRequest, number: int, n: int, body: TickIn) -> dict[str, Any]:
    """Done, or not, by the word of the token's user."""
    return shown(action_items.tick(request.found, body.done))  # type: ignore[attr-defined]


@operation(
    "post",
    "/reviews/{int:number}/action_items/{int:n}/owner",
    "api.action_item.own",
    within(Role.OPERATOR),
    find=find_item,
    response=ItemOut,
)
def own(request: HttpRequest, number: int, n: int, body: OwnerIn) -> dict[str, Any]:
    """Give it to a member of the project, or to nobody; refused where somebody was faster."""
    item: ActionItem = request.found  # type: ignore[attr-defined]
    if body.seen != (item.owner.email if item.owner else None):
        raise Refused(f"It is {item.owner or 'nobody’s'} by now. Look again, then decide.")
    owner = action_items.member(item, email__iexact=body.owner) if body.owner is not None else None
    return shown(action_items.own(item, owner, seen=item.owner_id))
