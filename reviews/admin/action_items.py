"""Action items of reviews: looked at, ticked, given to somebody."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from portal.core.deeds import Deed
from reviews import action_items
from reviews.admin.records import OfReview
from reviews.models import ActionItem, ReviewState
from tickets.admin.asking import Button
from tickets.fields import Form


class Owner(Form):
    """A member of the project, or nobody; ``seen`` is who it was when that was chosen."""

    owner = forms.TypedChoiceField(
        required=False, label="Owner", coerce=int, empty_value=None, widget=UnfoldAdminSelectWidget
    )
    seen = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)


def of_its_project(form: Any, item: ActionItem) -> None:
    people = action_items.owners(item.review.series.project_id)
    form.fields["owner"].choices = [("", "Nobody"), *((person.pk, str(person)) for person in people)]
    form.initial.update(owner=item.owner_id, seen=item.owner_id)


def tick(item: ActionItem, asked: dict[str, Any], request: HttpRequest) -> str:
    action_items.tick(item, True)
    return "It is done."


def untick(item: ActionItem, asked: dict[str, Any], request: HttpRequest) -> str:
    action_items.tick(item, False)
    return "It is not done."


def own(item: ActionItem, asked: dict[str, Any], request: HttpRequest) -> str:
    owner = action_items.member(item, pk=asked["owner"]) if asked["owner"] else None
    action_items.own(item, owner, seen=asked["seen"])
    return f"{owner} owns it." if owner else "Nobody owns it."


def works(item: ActionItem) -> bool:
    return item.review.state == ReviewState.APPLIED


@admin.register(ActionItem)
class ActionItemPage(OfReview):
    list_display = ("text", "section", "done", "ticked", "owner", "review", "line")
    list_filter = ("done", "ticked")
    search_fields = ("=review__id", "text", "owner__email")
    comes_with = ("owner", "review__series__project")
    ordering = ("-id",)
    actions = ("tick", "untick")
    deeds = (
        Deed("tick", "Tick it", Button, tick, lambda item: works(item) and not item.ticked),
        Deed("untick", "Untick it", Button, untick, lambda item: works(item) and bool(item.ticked)),
        Deed("own", "Give it to", Owner, own, works, fit=of_its_project),
    )

    @admin.action(description="Tick: done", permissions=["administer"])
    def tick(self, request: HttpRequest, queryset: QuerySet[ActionItem]) -> None:
        self.each(request, queryset, lambda item: action_items.tick(item, True), "ticked")

    @admin.action(description="Untick: not done", permissions=["administer"])
    def untick(self, request: HttpRequest, queryset: QuerySet[ActionItem]) -> None:
        self.each(request, queryset, lambda item: action_items.tick(item, False), "unticked")
