"""Jobs, workers, lanes and schedules in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.core.adminsite import Admin, ReadOnly, Rows
from portal.core.unit import unit_of_work
from workers import queue
from workers.models import Attempt, Job, Lane, Schedule, ScheduleTick, Worker


class Attempts(Rows):
    model = Attempt
    fields = ("fence", "worker", "outcome", "error", "started_at", "ended_at")
    readonly_fields = fields
    ordering = ("-fence",)
    per_page = 20


@admin.register(Job)
class JobPage(ReadOnly):
    list_display = ("id", "kind", "subject", "state", "pool", "fence", "worker", "created_at", "finished_at")
    list_filter = ("state", "pool", "kind")
    search_fields = ("=id", "subject", "kind")
    ordering = ("-id",)
    inlines = (Attempts,)
    actions = ("requeue", "cancel")

    def subject_of(self, row: Job) -> str:
        return row.name

    @admin.action(description="Requeue the chosen dead jobs", permissions=["administer"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(request, queryset, queue.requeue, "queued again")

    @admin.action(description="Cancel the chosen jobs", permissions=["administer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(
            request,
            queryset,
            lambda job: queue.cancel(job, reason="Cancelled in the admin."),
            "cancelled, or asked to stop",
        )


@admin.register(Attempt)
class AttemptPage(ReadOnly):
    list_display = ("id", "job", "fence", "outcome", "worker", "started_at", "ended_at")
    list_filter = ("outcome",)
    list_select_related = ("job",)
    search_fields = ("=job__id", "worker")
    ordering = ("-id",)


@admin.register(Worker)
class WorkerPage(ReadOnly):
    list_display = ("name", "pool", "state", "host", "pid", "started_at", "seen_at")
    list_filter = ("pool", "state")
    search_fields = ("name", "host")
    ordering = ("-seen_at",)


@admin.register(Lane)
class LanePage(Admin):
    list_display = ("name", "slots")
    search_fields = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("name", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Lane, form: Any, change: bool) -> None:
        with unit_of_work() as work:
            queue.set_lane(obj.name, form.cleaned_data["slots"])
            work.record("lane.changed", f"lane:{obj.name}", after={"slots": form.cleaned_data["slots"]})


@admin.register(Schedule)
class SchedulePage(Admin):
    list_display = ("name", "kind", "every_seconds", "missed", "enabled", "next_due_at")
    list_filter = ("enabled",)
    search_fields = ("name", "kind")
    readonly_fields = ("next_due_at",)


@admin.register(ScheduleTick)
class ScheduleTickPage(ReadOnly):
    list_display = ("schedule", "due_at", "missed", "job")
    list_filter = ("schedule",)
    list_select_related = ("schedule", "job")
    ordering = ("-id",)
