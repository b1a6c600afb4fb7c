"""Workers and jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access, clock
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.live import streams
from portal.site import queries
from tickets import output
from workers import kinds, presence, queue
from workers.models import Job, JobState, Outcome, Pool, Worker

WORKERS_SHOWN: Final = 50
HELD_SHOWN: Final = 3
ATTEMPTS_SHOWN: Final = 50


class WorkerLine(NamedTuple):
    worker: Worker
    state: str
    holds: list[Job]
    more: int


def find_job(number: int) -> Found | None:
    """A job without an audience is the installation's: an admin's alone."""
    job = Job.objects.filter(pk=number).first()
    return Found(job, job.audience) if job else None


@page("jobs.list", SIGNED_IN)
def jobs(request: HttpRequest) -> HttpResponse:
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    # the cursors first: what happens between them and the rows is shown twice rather than missed
    context = {"live_cursors": streams.cursors("jobs"), "fragment": reverse("jobs_fragment") + query}
    return render(request, "portal/jobs/list.html", context | _list(request))


@page("jobs.list_fragment", SIGNED_IN)
def jobs_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/jobs/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    state = request.GET.get("state", "")
    state = state if state in JobState.values else ""
    before = _number(request.GET.get("before"))
    rows = queries.jobs_of(request.user)
    wanted = rows.filter(state=state) if state else rows
    found = queries.page_of(wanted, before, settings.LIMITS["LIST_PAGE_ROWS"])
    workers = _workers(request)
    return {
        "workers": workers,
        "alive": sum(line.state == Worker.State.ALIVE for line in workers),
        "lost": sum(line.state == "missing" for line in workers),
        "before": before,
        "counts": queries.counts(request.user),
        "states": JobState.choices,
        "state": state,
        "jobs": found.rows,
        "older": found.older,
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _workers(request: HttpRequest) -> list[WorkerLine]:
    """Those seen within a day; what each holds, as far as the reader may see it."""
    asked = clock.now()
    lease = timedelta(seconds=settings.LIMITS["LEASE_SECONDS"])
    seen = list(Worker.objects.filter(seen_at__gte=asked - timedelta(days=1)).order_by("name")[:WORKERS_SHOWN])
    held: dict[str, list[Job]] = {}
    running = queries.jobs_of(request.user).filter(state=JobState.RUNNING, worker__in=[worker.name for worker in seen])
    for job in running.order_by("id")[: WORKERS_SHOWN * HELD_SHOWN]:
        held.setdefault(job.worker, []).append(job)
    return [
        WorkerLine(
            worker,
            "missing" if worker.state == Worker.State.ALIVE and asked - worker.seen_at > lease else worker.state,
            held.get(worker.name, [])[:HELD_SHOWN],
            max(len(held.get(worker.name, [])) - HELD_SHOWN, 0),
        )
        for worker in seen
    ]


@page("jobs.job", within(Role.VIEWER), find=find_job)
def job(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    # the cursor first: what happens between it and the rows is shown twice rather than missed
    live_cursors = streams.cursors("jobs")
    shown = _job(request, job)
    return render(request, "portal/jobs/job.html", shown | {"live_cursors": live_cursors | shown["live_cursors"]})


@page("jobs.job_fragment", within(Role.VIEWER), find=find_job)
def job_fragment(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return render(request, "portal/jobs/job_body.html", _job(request, job))


@page("jobs.output_fragment", within(Role.VIEWER), find=find_job)
def output_fragment(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    attempt = job.attempts.order_by("-fence").first()
    if attempt is None:
        raise Http404
    return output.fragment(request, attempt.pk, running=attempt.outcome == Outcome.RUNNING, name=job.pk)


def _job(request: HttpRequest, job: Job) -> dict[str, Any]:
    attempts = list(job.attempts.order_by("-fence")[: ATTEMPTS_SHOWN + 1])
    written = None
    if attempts:
        written = output.newest(attempts[0].pk, running=attempts[0].outcome == Outcome.RUNNING)
    waits_for_host = job.state == JobState.QUEUED and job.host
    return {
        "job": job,
        "link": kinds.link(job.kind, job.subject),
        "attempts": attempts[:ATTEMPTS_SHOWN],
        "attempts_cut": len(attempts) > ATTEMPTS_SHOWN,
        # what runs in the pool of short jobs writes nothing
        "output": written if written and (written.text or written.running and job.pool != Pool.SHORT) else None,
        "output_url": reverse("job_output", args=[job.pk]),
        "live_cursors": written.cursors if written else {},
        "waits_for_host": waits_for_host,
        "attended": bool(waits_for_host) and presence.is_attended(job.host, job.pool),
        "operates": access.may(request.user, within(Role.OPERATOR), job.audience),
        "live": job.state in (JobState.QUEUED, JobState.RUNNING),
    }


@page("jobs.cancel", within(Role.OPERATOR), find=find_job, methods=("POST",))
def cancel(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()[:300] or "Cancelled on its page."
    return _change(request, job, lambda: queue.cancel(job, reason=reason), "cancelled")


@page("jobs.requeue", within(Role.OPERATOR), find=find_job, methods=("POST",))
def requeue(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return _change(request, job, lambda: queue.requeue(job), "queued again")


def _change(request: HttpRequest, job: Job, act: Callable[[], Job], said: str) -> HttpResponse:
    try:
        now = act()
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        asked = now.state == JobState.RUNNING
        messages.success(request, f"{job.kind} {job.pk}: {'asked to stop' if asked else said}.")
    return redirect("job", job.pk)
