"""Jobs, their attempts, workers and the ticks of schedules in the admin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.text import Truncator

from portal.core import asking
from portal.core.adminsite import ReadOnly, Record, Rows
from portal.core.asking import Reasoned
from portal.core.deeds import Deed
from workers import bulk, queue
from workers.admin.job_filters import AgeFilter, AgentFilter, KindFilter
from workers.models import LIVE_STATES, Attempt, Job, JobState, ScheduleTick, Worker

ERROR_CHARS: Final = 200


class Measured:
    """What an attempt took, as a reader wants it."""

    @admin.display(description="Took")
    def took(self, row: Attempt) -> str:
        if row.ended_at is None:
            return "still running"
        return f"{max((row.ended_at - row.started_at).total_seconds(), 0):,.1f} s"

    @admin.display(description="Processor", ordering="cpu_ms")
    def processor(self, row: Attempt) -> str:
        return "-" if row.cpu_ms is None else f"{row.cpu_ms / 1000:,.2f} s"

    @admin.display(description="Memory", ordering="memory_bytes")
    def memory(self, row: Attempt) -> str:
        return "-" if row.memory_bytes is None else filesizeformat(row.memory_bytes)

    @admin.display(description="Error", empty_value="-")
    def told(self, row: Attempt) -> str:
        """Its last line; the whole stands on the page of the attempt."""
        return Truncator(row.error.strip().rpartition("\n")[2]).chars(ERROR_CHARS)

    @admin.display(description="Host")
    def on(self, row: Attempt) -> str:
        return row.host or "-"


class Attempts(Measured, Rows):
    """The line of time, newest first."""

    model = Attempt
    fields = (
        "fence",
        "outcome",
        "counted",
        "started_at",
        "took",
        "on",
        "worker",
        "processor",
        "memory",
        "told",
    )
    readonly_fields = fields
    ordering = ("-fence",)
    per_page = 20


def requeue(job: Job, asked: dict[str, Any], request: HttpRequest) -> str:
    return f"{queue.requeue(job, reason=asked['reason'])} is queued again."


def cancel(job: Job, asked: dict[str, Any], request: HttpRequest) -> str:
    now = queue.cancel(job, reason=asked["reason"])
    return f"{now} {'is asked to stop' if now.state == JobState.RUNNING else 'is cancelled'}."


@admin.register(Job)
class JobPage(Record):
    list_display = ("id", "kind", "subject", "state", "pool", "fence", "worker", "created_at", "finished_at")
    list_filter = ("state", "pool", KindFilter, AgeFilter, AgentFilter)
    search_fields = ("=id", "subject", "kind", "error")
    ordering = ("-id",)
    exclude = ("payload", "cause")
    inlines = (Attempts,)
    actions = ("requeue", "cancel")
    deeds = (
        Deed("requeue", "Requeue", Reasoned, requeue, lambda job: job.state in {JobState.DEAD, JobState.CANCELLED}),
        Deed("cancel", "Cancel the job", Reasoned, cancel, lambda job: job.state in LIVE_STATES, danger=True),
    )

    def subject_of(self, row: Job) -> str:
        return row.name

    @admin.action(description="Requeue the chosen dead jobs", permissions=["administer"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._all(request, queryset, "Requeue these jobs", bulk.requeue, "queued again")

    @admin.action(description="Cancel the chosen jobs", permissions=["administer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._all(request, queryset, "Cancel these jobs", bulk.cancel, "cancelled, or asked to stop")

    def _all(
        self, request: HttpRequest, rows: QuerySet[Job], label: str, act: Callable[..., bulk.Came], said: str
    ) -> HttpResponse | None:
        def do(asked: Mapping[str, Any]) -> int:
            came = act(rows, request.user, reason=asked["reason"], after=asked["after"] or 0)
            tell(request, came, said)
            return came.last if came.left else 0

        return asking.why(self, request, rows, label, do)


def tell(request: HttpRequest, came: bulk.Came, said: str) -> None:
    """What came of it; what could not be done by name, up to a bound."""
    if came.done:
        messages.success(request, f"{came.done} {said}.")
    for refusal in came.refusals:
        messages.warning(request, f"{refusal.job}: {refusal.why}")
    if came.refused > len(came.refusals):
        messages.warning(request, f"{came.refused} could not be; these are the first {len(came.refusals)}.")
    if came.left:
        messages.warning(request, f"These were the first {came.looked_at}. Press again for the rest.")


@admin.register(Attempt)
class AttemptPage(Measured, Record):
    list_display = (
        "id",
        "job",
        "fence",
        "outcome",
        "counted",
        "on",
        "worker",
        "started_at",
        "took",
        "processor",
        "memory",
    )
    list_filter = ("outcome", "counted")
    list_select_related = ("job",)
    search_fields = ("=job__id", "worker", "error")
    ordering = ("-id",)


@admin.register(Worker)
class WorkerPage(Record):
    list_display = ("name", "pool", "state", "host", "pid", "version", "schema", "started_at", "seen_at")
    list_filter = ("pool", "state")
    search_fields = ("name", "host")
    ordering = ("-seen_at",)


@admin.register(ScheduleTick)
class ScheduleTickPage(ReadOnly):
    list_display = ("schedule", "due_at", "missed", "job")
    list_filter = ("schedule",)
    list_select_related = ("schedule", "job")
    ordering = ("-id",)
