"""What the reader was told: the bell, the list, and how lines are read.

Opening an unread line is a POST: following a link changes nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import limits, notifications
from portal.core.access import OWN, SIGNED_IN, own_scope
from portal.core.doors import page
from portal.core.models import Notification
from portal.live import streams
from portal.site.tallies import bell as bell_of

UNREAD: Final = "unread"


class Sign(NamedTuple):
    icon: str
    tone: str = ""


# By the verb; what is not named here has the bell's own.
SIGNS: Final = {
    "question.asked": Sign("ask", "wait"),
    "message.posted": Sign("send"),
    "ticket.submit": Sign("review", "run"),
    "ticket.end_review": Sign("review", "run"),
    "ticket.leave_unproven": Sign("claimed", "warn"),
    "ticket.block": Sign("block", "bad"),
    "ticket.fail": Sign("fail", "bad"),
    "merge.came_back": Sign("undo", "wait"),
    "review.plan": Sign("doc", "wait"),
    "review.fail": Sign("fail", "bad"),
}


@page("notifications.list", SIGNED_IN)
def listed(request: HttpRequest) -> HttpResponse:
    # the cursor first: what happens between it and the rows is shown twice rather than missed
    found = {"live_cursors": streams.cursors(own_scope(request.user.pk or 0))}
    return render(request, "portal/notifications/list.html", found | _list(request))


@page("notifications.list_fragment", SIGNED_IN)
def fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/notifications/list_body.html", _list(request))


@page("notifications.bell", SIGNED_IN)
def bell(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/frame/bell.html", {"bell": bell_of(request.user)})  # type: ignore[arg-type]


def _list(request: HttpRequest) -> dict[str, Any]:
    only = UNREAD if request.GET.get("only") == UNREAD else ""
    before = request.GET.get("before") or None
    rows = notifications.unread(request.user) if only else notifications.seen_by(request.user)
    try:
        found = notifications.page(rows, before, limits.value("LIST_PAGE_ROWS"))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return {
        "rows": [(row, SIGNS.get(row.verb, Sign("bell"))) for row in found.rows],
        "unread": any(row.read_at is None for row in found.rows),
        "until": notifications.place_of(found.rows[0]) if found.rows else "",
        "older": found.older,
        "before": before,
        "only": only,
        "kept": limits.value("NOTIFICATIONS_KEPT_ROWS"),
        "stream": own_scope(request.user.pk or 0),
        "fragment": f"{reverse('notifications_fragment')}?{request.GET.urlencode()}",
    }


def _seen(request: HttpRequest, row: Notification) -> Notification:
    """The line, unless it speaks of what its reader may not see any more."""
    if not notifications.seen_by(request.user).filter(pk=row.pk).exists():
        raise Http404
    return row


@page("notifications.open", OWN, find=notifications.find, methods=("POST",))
def open_line(request: HttpRequest, row: Notification, number: int) -> HttpResponse:
    """Mark it as read, and go where it leads."""
    notifications.read(_seen(request, row))
    return HttpResponseRedirect(row.url)


@page("notifications.read", OWN, find=notifications.find, methods=("POST",))
def read(request: HttpRequest, row: Notification, number: int) -> HttpResponse:
    notifications.read(_seen(request, row))
    return _back(request)


@page("notifications.read_all", SIGNED_IN, methods=("POST",))
def read_all(request: HttpRequest) -> HttpResponse:
    """All up to the newest line that the form's sender saw: what came after it stays unread."""
    try:
        done = notifications.read_all(request.user, request.POST.get("until", ""))
    except ValueError as error:
        raise BadRequest("The form was damaged on its way. Look at the page again, then send it.") from error
    messages.success(request, f"{done} marked as read." if done else "All were read already.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    only = "?only=unread" if request.POST.get("only") == UNREAD else ""
    return redirect(reverse("notifications") + only)
