"""Backups: those that are there, and the button that makes one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import limits
from portal.core.access import ADMIN
from portal.core.doors import page
from portal.live import streams
from portal.site.keeping import backups, jobs
from portal.site.keeping.refusals import Refused


@page("backups.list", ADMIN)
def listed(request: HttpRequest) -> HttpResponse:
    # the cursor first: what happens between it and the rows is shown twice rather than missed
    context = {"live_cursors": streams.cursors("jobs")}
    return render(request, "portal/backups/list.html", context | _list())


@page("backups.list_fragment", ADMIN)
def fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/backups/list_body.html", _list())


@page("backups.ask", ADMIN, methods=("POST",))
def ask(request: HttpRequest) -> HttpResponse:
    job = jobs.ask()
    messages.success(request, f"A backup is asked for: job {job.pk}. It is made as soon as a worker of turns is free.")
    return redirect("backups")


def _list() -> dict[str, Any]:
    unreadable = ""
    try:
        found, more = backups.listed(most=limits.value("LIST_PAGE_ROWS"))
    except Refused as refusal:
        found, more, unreadable = [], 0, str(refusal)
    live, dead = jobs.live(), jobs.last_dead()
    newest = next((one.manifest.moment for one in found if one.manifest), None)
    return {
        "backups": found,
        "more": more,
        "unreadable": unreadable,
        "live": live,
        # a failure that a later backup has answered is past
        "dead": dead if dead and (newest is None or dead.created_at > newest) else None,
        "kept": limits.value("BACKUPS_KEPT"),
    }
