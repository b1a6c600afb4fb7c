"""A job: what it waits for, how its attempts went, what it writes; cancel and requeue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access, clock
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.live import streams
from portal.site import attempts, queries
from portal.site.job_forms import CancelForm, RequeueForm
from tickets import output
from tickets.fields import Form
from workers import kinds, queue, waiting
from workers.agents import breakers
from workers.models import LIVE_STATES, Agent, Job, JobState, Outcome, Pool


def find_job(number: int) -> Found | None:
    """A job without an audience is the installation's: an admin's alone."""
    job = Job.objects.filter(pk=number).first()
    return Found(job, job.audience) if job else None


@page("jobs.job", within(Role.VIEWER), find=find_job)
def job(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return _shown(request, job)


@page("jobs.job_fragment", within(Role.VIEWER), find=find_job)
def job_fragment(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return render(request, "portal/jobs/job_body.html", _job(request, job))


@page("jobs.output_fragment", within(Role.VIEWER), find=find_job)
def output_fragment(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    attempt = job.attempts.order_by("-fence").first()
    if attempt is None:
        raise Http404
    return output.fragment(request, attempt.pk, running=attempt.outcome == Outcome.RUNNING, name=job.pk)


def _shown(request: HttpRequest, job: Job, tried: Form | None = None, status: int = 200) -> HttpResponse:
    """The page; ``tried`` is a form that was refused, with what was typed in it."""
    # the cursor first: what happens between it and the rows is shown twice rather than missed
    live_cursors = streams.cursors("jobs")
    shown = _job(request, job, tried)
    context = shown | {"live_cursors": live_cursors | shown["live_cursors"]}
    return render(request, "portal/jobs/job.html", context, status=status)


def _job(request: HttpRequest, job: Job, tried: Form | None = None) -> dict[str, Any]:
    rows, cut = attempts.newest(job)
    written = None
    if rows:
        written = output.newest(rows[0].pk, running=rows[0].outcome == Outcome.RUNNING)
    operates = access.may(request.user, within(Role.OPERATOR), job.audience)
    form = _offered(job) if operates else None
    return {
        "job": job,
        "link": kinds.link(job.kind, job.subject),
        "label": kinds.label(job.kind),
        "agent": _agent(job),
        "attempts": attempts.timeline(rows, clock.now()),
        "attempts_cut": cut,
        "budgets": attempts.budgets(job),
        # what runs in the pool of short jobs writes nothing
        "output": written if written and (written.text or written.running and job.pool != Pool.SHORT) else None,
        "output_url": reverse("job_output", args=[job.pk]),
        "live_cursors": written.cursors if written else {},
        "operates": operates,
        "live": job.state in LIVE_STATES,
        "form": tried if tried is not None and form is not None and tried.name == form.name else form,
        # what was asked for has no place on the page any more; what was typed is not lost with it
        "lost": tried if tried is not None and (form is None or tried.name != form.name) else None,
        "tried": tried,
        **_held(request, job),
    }


def _offered(job: Job) -> Form | None:
    if job.state in LIVE_STATES:
        return CancelForm()
    return RequeueForm() if job.state in {JobState.DEAD, JobState.CANCELLED} else None


def _agent(job: Job) -> str:
    """Whose lane it is in."""
    found = waiting.agent_of(job.lane)
    return Agent.objects.filter(pk=found).values_list("name", flat=True).first() or "" if found is not None else ""


def _held(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What keeps a queued job; of the jobs that hold its place those by name that the reader may see."""
    if job.state != JobState.QUEUED:
        return {"waiting": None}
    held = waiting.of(job)
    numbers = {*held.lane_jobs, *([held.subject_job] if held.subject_job else [])}
    seen = queries.jobs_of(request.user).in_bulk(numbers) if numbers else {}
    return {
        "waiting": held,
        "lane_jobs": [seen[number] for number in held.lane_jobs if number in seen],
        "lane_unseen": sum(number not in seen for number in held.lane_jobs),
        "subject_job": seen.get(held.subject_job or 0),
        "breaker": breakers.waiting(held.breaker) if held.breaker else "",
    }


@page("jobs.cancel", within(Role.OPERATOR), find=find_job, methods=("POST",))
def cancel(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return _change(request, job, CancelForm(request.POST), queue.cancel, "cancelled")


@page("jobs.requeue", within(Role.OPERATOR), find=find_job, methods=("POST",))
def requeue(request: HttpRequest, job: Job, number: int) -> HttpResponse:
    return _change(request, job, RequeueForm(request.POST), queue.requeue, "queued again")


def _change(request: HttpRequest, job: Job, form: Form, act: Callable[..., Job], said: str) -> HttpResponse:
    try:
        status, now = form.carry_out(lambda asked: act(job, reason=asked["reason"]))
        job.refresh_from_db()
    except Job.DoesNotExist:
        raise Http404 from None
    if now is None:
        return _shown(request, job, tried=form, status=status)
    asked = now.state == JobState.RUNNING
    messages.success(request, f"{job.kind} {job.pk}: {'asked to stop' if asked else said}.")
    return redirect("job", job.pk)
