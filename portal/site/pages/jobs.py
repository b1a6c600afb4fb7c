"""Workers, queues and the list of jobs; what is done to all that a filter shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.core import access, clock, limits
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from portal.live import streams
from portal.site import fleet, job_filter, queries
from portal.site.job_filter import JobFilter
from portal.site.job_forms import AllForm
from tickets import lists
from tickets.fields import number_of
from workers import bulk
from workers.models import Job, JobState

# the words of each of the two, and which jobs it is for
ALL: Final[dict[str, dict[str, Any]]] = {
    "requeue": {"button": "Requeue", "done": "queued again", "of": "dead or cancelled", "icon": "retry"},
    "cancel": {"button": "Cancel", "done": "cancelled, or asked to stop", "of": "queued or running", "icon": "block"},
}


@page("jobs.list", SIGNED_IN)
def jobs(request: HttpRequest) -> HttpResponse:
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    # the cursors first: what happens between them and the rows is shown twice rather than missed
    context = {"live_cursors": streams.cursors("jobs"), "fragment": reverse("jobs_fragment") + query}
    return render(request, "portal/jobs/list.html", context | _list(request))


@page("jobs.list_fragment", SIGNED_IN)
def jobs_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/jobs/list_body.html", _list(request))


@page("jobs.fleet_fragment", SIGNED_IN)
def fleet_fragment(request: HttpRequest) -> HttpResponse:
    """The workers alone: that one falls silent is no event that somebody could tell."""
    return render(request, "portal/jobs/fleet.html", {"fleet": fleet.of(request.user, clock.now())})


def _list(request: HttpRequest) -> dict[str, Any]:
    now = clock.now()
    form, wanted, rows = _wanted(request)
    before = number_of(request.GET.get("before"))
    counts, standings = queries.engine_of(request.user, now)
    found = queries.page_of(rows, before, limits.value("LIST_PAGE_ROWS"))
    kept = {name: value for name, value in wanted.items() if value}
    return {
        "form": form,
        "wanted": wanted,
        "kept": kept,
        "beyond": bool(request.GET.get("before")) and before is None,
        "query": urlencode(kept),
        "fleet": fleet.of(request.user, now),
        "pools": standings,
        "counts": counts,
        "tabs": _tabs(wanted, counts),
        "jobs": found.rows,
        "agents": form.names_of_lanes,
        "older": found.older,
        "before": before,
        "searched": f"{limits.value('JOB_SEARCH_ROWS'):,}" if wanted["q"] else "",
        "administers": access.is_admin(request.user),
        **_matched(request, rows),
    }


def _wanted(request: HttpRequest) -> tuple[JobFilter, dict[str, str], QuerySet[Job]]:
    """The filter, what it asks for, and the reader's jobs that match."""
    form = JobFilter(request.GET, request.user)
    wanted = lists.wanted_of(form)
    return form, wanted, job_filter.matching(queries.jobs_of(request.user), wanted, form.agents)


def _tabs(wanted: dict[str, str], counts: queries.JobCounts) -> list[dict[str, Any]]:
    """A state each, with the other filters as they are."""
    others = {name: value for name, value in wanted.items() if value and name != "state"}
    numbers = {JobState.QUEUED: counts.queued, JobState.RUNNING: counts.running, JobState.DEAD: counts.dead}
    return [
        {
            "state": state,
            "query": urlencode(others | ({"state": state} if state else {})),
            "number": numbers.get(JobState(state)) if state else None,
        }
        for state in ("", *JobState.values)
    ]


def _matched(request: HttpRequest, rows: QuerySet[Job]) -> dict[str, Any]:
    """How many match, and how many of them could go again or be stopped, up to a bound."""
    operates = access.is_admin(request.user) or any(
        held >= Role.OPERATOR for held in access.roles(request.user).values()
    )
    return {
        "operates": operates,
        "matched": _spoken(bulk.counted(rows)),
        "requeueable": bulk.counted(rows.filter(bulk.REQUEUEABLE)),
        "cancellable": bulk.counted(rows.filter(bulk.CANCELLABLE)),
    }


def _spoken(number: int) -> str:
    return f"{number:,}" if number <= bulk.COUNTED_ROWS else f"more than {bulk.COUNTED_ROWS:,}"


@page("jobs.requeue_all", SIGNED_IN, methods=("GET", "POST"))
def requeue_all(request: HttpRequest) -> HttpResponse:
    """All that match and may go again; each by the right in its own project."""
    return _all(request, "requeue", bulk.requeue)


@page("jobs.cancel_all", SIGNED_IN, methods=("GET", "POST"))
def cancel_all(request: HttpRequest) -> HttpResponse:
    return _all(request, "cancel", bulk.cancel)


def _all(request: HttpRequest, verb: str, act: Callable[..., bulk.Came]) -> HttpResponse:
    filtered, wanted, rows = _wanted(request)
    meant = rows.filter(bulk.REQUEUEABLE if verb == "requeue" else bulk.CANCELLABLE)
    kept = {name: value for name, value in wanted.items() if value}
    form = AllForm(request.POST if request.method == "POST" else None, initial={"after": 0})
    came, status = None, 200
    # A filter that was left out would make the press reach further than its sender saw.
    if request.method == "POST" and not filtered.errors:
        status, came = form.carry_out(
            lambda asked: act(meant, request.user, reason=asked["reason"], after=asked["after"] or 0)
        )
    elif request.method == "POST":
        status = 422
    if came is not None:
        # What was done matches no more; the rest goes on behind it, for the same reason.
        form = AllForm(initial={"after": came.last, "reason": form.cleaned_data["reason"]})
    matched = came.left if came is not None else bulk.counted(meant)
    context = {
        "form": form,
        "filtered": filtered,
        "kept": kept,
        "shown": [(filtered.fields[name].label, filtered.said(name, value)) for name, value in kept.items()],
        "query": urlencode(kept),
        "came": came,
        "matched": matched,
        "number": _spoken(matched),
        "most": limits.value("BULK_JOBS_MAX"),
        "words": ALL[verb],
        "verb": verb,
    }
    return render(request, "portal/jobs/all.html", context, status=status)
