"""The status, the probes, and the schema guard's report."""

from __future__ import annotations

from typing import Final, NamedTuple

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from portal.core import draining, guard, revision
from portal.core.access import ADMIN, PUBLIC, SIGNED_IN, is_admin
from portal.core.doors import page
from portal.core.guard import wording
from portal.core.guard.compare import Weight
from portal.live import streams
from portal.site import health
from portal.site.rehearsing import standing

ROWS_SHOWN: Final = 100
ORDER: Final = ("broken", "warning", "ok")
TONES: Final = {Weight.REFUSE: "bad", Weight.WARN: "warn", Weight.EXPLAINED: "wait"}


class Difference(NamedTuple):
    tone: str
    what: str
    expects: str
    has: str


@page("installation.status", SIGNED_IN)
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/status.html", {"live_cursors": streams.cursors("jobs")} | _status(request))


@page("installation.status_fragment", SIGNED_IN)
def status_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/status/checks.html", _status(request))


def _status(request: HttpRequest) -> dict[str, object]:
    # what is wrong first
    checks = sorted(health.everything(), key=lambda check: ORDER.index(check.answer))
    limits = health.limits_in_force() if is_admin(request.user) else []
    return {
        "checks": checks,
        "trouble": [check for check in checks if check.answer != "ok"],
        "answer": health.worst(checks),
        "limits": limits,
        "changed": sum(value != limit.default for limit, value in limits),
        "version": health.release(),
        "revision": revision.running().words,
    }


@page("installation.status_json", ADMIN)
def status_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse(health.document(), json_dumps_params={"indent": 2})


@page("installation.livez", PUBLIC)
def livez(request: HttpRequest) -> JsonResponse:
    """This process answers; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@page("installation.readyz", PUBLIC)
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this process is to be given requests, and which commit it runs; no commit where nobody knows."""
    if draining.begun():
        return JsonResponse({"status": "draining"}, status=503)
    if missing := [check.name for check in health.ready()]:
        return JsonResponse({"status": "unready", "missing": missing}, status=503)
    return JsonResponse({"status": "ready", "commit": revision.running().commit or None})


@page("installation.schema", ADMIN)
def schema(request: HttpRequest) -> HttpResponse:
    check = health.schema()
    report = guard.standing()
    rows = list(wording.rows(report))
    shown = [Difference(TONES[weight], *cells) for weight, cells in rows[:ROWS_SHOWN]]
    context = {"report": report, "check": check, "rows": shown, "more": len(rows) - len(shown), "total": len(rows)}
    return render(request, "portal/schema.html", context | standing.context(report))
