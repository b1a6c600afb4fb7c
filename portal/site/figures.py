"""The figures above what needs somebody: within the reader's scopes, one statement each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from django.db.models import Count, Q

from deployments.models import Deployment, DeploymentState
from portal.site import queries
from reviews.models import Finding, FindingState, Severity
from tickets.models import Question, Turn
from tickets.rights import project_ids

WAITS_READ: Final = 500


class Stat(NamedTuple):
    title: str
    number: int | str
    detail: str
    url: str
    tone: str = ""
    unit: str = ""


def stats_of(user: queries.Reader) -> list[Stat]:
    projects = project_ids(user)
    findings = queries.within(Finding.objects.filter(state=FindingState.OPEN), "series__project", projects).aggregate(
        all=Count("id"),
        critical=Count("id", filter=Q(severity=Severity.CRITICAL)),
        important=Count("id", filter=Q(severity=Severity.HIGH)),
    )
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    turns = queries.within(Turn.objects.filter(started_at__gte=midnight), "ticket__project", projects).aggregate(
        all=Count("id"),
        proven=Count("id", filter=Q(measurement__proven=True)),
        unproven=Count("id", filter=Q(measurement__proven=False)),
    )
    week = datetime.now(UTC) - timedelta(days=7)
    shipped = queries.within(Deployment.objects.filter(requested_at__gte=week), "service__project", projects).aggregate(
        all=Count("id"),
        done=Count("id", filter=Q(state=DeploymentState.SUCCEEDED)),
        refused=Count("id", filter=Q(state=DeploymentState.REFUSED)),
    )
    jobs = queries.counts(user)
    return [
        Stat(
            "Open findings",
            findings["all"],
            f"{findings['critical']} critical, {findings['important']} important",
            "/reviews/",
            "bad" if findings["critical"] else "",
        ),
        Stat("Turns today", turns["all"], f"{turns['proven']} proven, {turns['unproven']} unproven", "/tickets/"),
        Stat(
            "Jobs waiting",
            jobs.queued,
            f"{jobs.running} running, {jobs.dead} dead",
            "/workers/?state=queued",
            "bad" if jobs.dead else "",
        ),
        Stat(
            "Deployments, 7 days",
            shipped["all"],
            f"{shipped['done']} done, {shipped['refused']} refused",
            "/deployments/",
        ),
        _waits(projects, week),
    ]


def _waits(projects: set[int] | None, since: datetime) -> Stat:
    """How long the answers that people gave lately had been waited for; of very many, the newest."""
    rows = Question.objects.filter(answered_at__gte=since, answered_by__isnull=False)
    rows = queries.within(rows, "ticket__project", projects).order_by("-answered_at")
    asked = rows.values_list("asked_at", "answered_at")[:WAITS_READ]
    waits = [(answered - asked_at).total_seconds() for asked_at, answered in asked if answered]
    title, url = "Agents wait for people", f"/tickets/?state={queries.ANSWERS[0].value}"
    if not waits:
        return Stat(title, "–", "nothing answered in 7 days", url)
    return Stat(title, round(median(waits) / 60), "median, 7 days", url, unit="min")
