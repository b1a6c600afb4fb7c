"""The history of all that the reader may see, filtered."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from portal.site import chronicle
from portal.site.activity_filter import ActivityFilter
from tickets import lists
from tickets.queries import Page


@page("activity.list", SIGNED_IN)
def activity(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/activity/list.html", _list(request))


@page("activity.list_fragment", SIGNED_IN)
def activity_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/activity/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return chronicle.page(request.user, asked.wanted, asked.before)

    form = ActivityFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.VIEWER, fragment="activity_fragment")
    return asked | {"entries": chronicle.entries(asked["rows"], asked["projects"])}
