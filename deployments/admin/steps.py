"""The steps of a deployment, both ways, and the answers of a service that was asked for its health."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from deployments.fields import command_text
from deployments.models import HealthCheck, Observation, Step, StepState, Structure
from portal.core.adminsite import Record, Rows
from tickets import output

OUTPUT_BYTES = 20_000


def does(step: Step) -> str:
    """What it runs, asks or says."""
    pause = f"{step.pause_seconds:,} s" if step.pause_seconds else ""
    said = command_text(step.command) or step.url or step.instructions or pause
    return format_html('<div class="as-written"><bdi>{}</bdi></div>', said)


class StepRows(Rows):
    model = Step
    fields = ("n", "phase", "kind", "name", "does", "standing_state", "exit_code", "message", "ended_at")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 100

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("deployment__service", "deployment__environment")

    @admin.display(description="Does")
    def does(self, step: Step) -> str:
        return does(step)


class HealthChecks(Rows):
    model = HealthCheck
    fields = ("n", "right", "status", "reported", "detail", "milliseconds", "at")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 100
    show_change_link = False
    hide_title = True


class Structures(Rows):
    model = Structure
    fields = ("when", "digest", "cut", "differs", "at")
    readonly_fields = fields
    ordering = ("pk",)
    hide_title = True

    @admin.display(description="Differs from before")
    def differs(self, row: Structure) -> str:
        return format_html('<div class="as-written"><code>{}</code></div>', row.changes[:OUTPUT_BYTES])


@admin.register(Step)
class StepPage(Record):
    list_display = ("deployment", "n", "phase", "kind", "name", "standing_state", "exit_code", "started_at", "ended_at")
    list_filter = ("state", "kind", "phase")
    list_select_related = ("deployment__service", "deployment__environment")
    search_fields = ("=deployment__id", "name", "deployment__service__name")
    ordering = ("-id",)
    inlines = (HealthChecks, Structures)

    def subject_of(self, row: Step) -> str:
        return f"step:{row.deployment_id}/{row.n}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        rows: QuerySet[Step] = super().get_queryset(request)
        return rows.select_related("deployment__service", "deployment__environment", "attempt__job")

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        return tuple(rows for rows in self.inlines if rows.model.objects.filter(step=obj).exists()) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        hidden = {"command", "url", "instructions", "probe", "state", "verify", "structure"}
        own = tuple(name for name in super().get_fields(request, obj) if name not in hidden)
        return (*own[:4], "does", "probes", "verifies", "prints", "standing_state", *own[4:], "written", "history")

    @admin.display(description="Does")
    def does(self, step: Step) -> str:
        return does(step)

    @admin.display(description="Probe")
    def probes(self, step: Step) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', command_text(step.probe))

    @admin.display(description="Rehearses the restore")
    def verifies(self, step: Step) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', command_text(step.verify))

    @admin.display(description="Prints the structure")
    def prints(self, step: Step) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', command_text(step.structure))

    @admin.display(description="End of its output")
    def written(self, step: Step) -> str:
        if step.attempt_id is None:
            return "Nothing ran."
        running = step.state == StepState.RUNNING
        found = output.newest(step.attempt_id, running=running, most_bytes=OUTPUT_BYTES)
        if found.forgotten:
            return f"What it wrote is gone: it is kept for {found.forgotten} days after the end."
        cut = f"({found.cut:,} bytes before are left out)\n" if found.cut else ""
        return format_html('<div class="as-written"><code>{}</code></div>', f"{cut}{found.text}")


@admin.register(HealthCheck)
class HealthCheckPage(Record):
    list_display = ("step", "n", "right", "status", "reported", "detail", "milliseconds", "at")
    list_filter = ("right",)
    list_select_related = ("step__deployment__service", "step__deployment__environment")
    search_fields = ("=step__deployment__id", "reported", "detail")
    ordering = ("-id",)


@admin.register(Structure)
class StructurePage(Record):
    list_display = ("step", "when", "digest", "cut", "at")
    list_filter = ("when",)
    list_select_related = ("step__deployment__service", "step__deployment__environment")
    search_fields = ("=step__deployment__id", "digest")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = tuple(name for name in super().get_fields(request, obj) if name not in {"text", "changes"})
        return (*own, "differs", "printed")

    @admin.display(description="Differs from before")
    def differs(self, row: Structure) -> str:
        return format_html('<div class="as-written"><code>{}</code></div>', row.changes[:OUTPUT_BYTES])

    @admin.display(description="Begin of what was printed")
    def printed(self, row: Structure) -> str:
        return format_html('<div class="as-written"><code>{}</code></div>', row.text[:OUTPUT_BYTES])


@admin.register(Observation)
class ObservationPage(Record):
    list_display = ("placement", "right", "status", "reported", "detail", "answers", "first_at", "last_at")
    list_filter = ("right",)
    list_select_related = (
        "placement__service",
        "placement__environment",
        "deployment__service",
        "deployment__environment",
    )
    search_fields = ("placement__service__name", "placement__environment__name", "reported", "detail")
    ordering = ("-id",)
