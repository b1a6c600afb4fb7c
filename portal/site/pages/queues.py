"""Pause and resume of a pool or a kind of job."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core.access import ADMIN
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.site.job_forms import PauseForm, ResumeForm
from tickets.fields import Form
from workers import pools
from workers import queue as engine
from workers.models import Pause
from workers.pools import Standing


def find_queue(queue: str) -> Found | None:
    found = pools.known(queue)
    return Found(found, "") if found else None


@page("queues.pause", ADMIN, find=find_queue, methods=("GET", "POST"))
def pause(request: HttpRequest, found: Standing, queue: str) -> HttpResponse:
    form = PauseForm(request.POST if request.method == "POST" else None)
    return _change(request, found, form, engine.pause, "paused")


@page("queues.resume", ADMIN, find=find_queue, methods=("GET", "POST"))
def resume(request: HttpRequest, found: Standing, queue: str) -> HttpResponse:
    form = ResumeForm(request.POST if request.method == "POST" else None)
    return _change(request, found, form, engine.resume, "going again")


def _change(request: HttpRequest, found: Standing, form: Form, act: Callable[..., bool], said: str) -> HttpResponse:
    def do(asked: dict[str, str]) -> bool:
        if not act(found.name, reason=asked["reason"]):
            # Somebody was faster: what they said stands on the page.
            raise Refused(f"{found.label}: {'paused' if said == 'paused' else 'not paused'} already.")
        return True

    status = 200
    if request.method == "POST":
        status, done = form.carry_out(do)
        if done:
            messages.success(request, f"{found.label}: {said}.")
            return redirect("jobs")
    held = Pause.objects.filter(name=found.name).first()
    context = {"found": found, "form": form, "pause": held, "verb": form.name}
    return render(request, "portal/jobs/queue.html", context, status=status)
