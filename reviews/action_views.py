"""What people do to the action items of a review: tick them, give them to somebody."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

from portal.core.access import Role, within
from portal.core.doors import Found, page
from reviews import action_items
from reviews.change_views import act_on
from reviews.finding_forms import OwnerForm, TickForm
from reviews.models import ActionItem, Review
from reviews.views import find_review


class AskedItem(NamedTuple):
    review: Review
    item: ActionItem


def find_item(number: int, item: int) -> Found | None:
    found = find_review(number)
    rows = ActionItem.objects.select_related("owner", "review__series__project")
    asked = rows.filter(review=found.object, n=item).first() if found and item < 2**31 else None
    return Found(AskedItem(found.object, asked), found.scope) if found and asked else None


@page("reviews.tick", within(Role.OPERATOR), find=find_item, methods=("POST",))
def tick(request: HttpRequest, asked_for: AskedItem, number: int, item: int) -> HttpResponse:
    """Done, or not, by the person's word."""
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        action_items.tick(found, asked["done"])
        return ""

    return act_on(request, review, TickForm(request.POST), act, about=item, anchor=f"#action-{item}")


@page("reviews.own", within(Role.OPERATOR), find=find_item, methods=("POST",))
def own(request: HttpRequest, asked_for: AskedItem, number: int, item: int) -> HttpResponse:
    """Give it to a member of the project, or to nobody."""
    review, found = asked_for

    def act(asked: dict[str, Any]) -> str:
        owner = action_items.member(found, pk=asked["owner"]) if asked["owner"] else None
        action_items.own(found, owner, seen=asked["seen"] or None)
        return f"{owner} owns action item {item}." if owner else f"Nobody owns action item {item}."

    return act_on(request, review, OwnerForm(request.POST), act, about=item, anchor=f"#action-{item}")
