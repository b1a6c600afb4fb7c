"""What profiles, breakers and trials have come to, to be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from portal.core.adminsite import Record
from workers.admin.agents import standing_of, steps_of
from workers.models import AgentVersion, Breaker, BreakerState, Job, Trial, TrialState
from workers.transitions import BREAKER, TRIAL


@admin.register(AgentVersion)
class AgentVersionPage(Record):
    list_display = ("agent", "number", "adapter", "wall_seconds", "silence_seconds", "created_at")
    list_filter = ("agent",)
    list_select_related = ("agent",)
    ordering = ("-id",)


@admin.register(Breaker)
class BreakerPage(Record):
    list_display = ("agent_version", "standing_state", "failures", "opened", "retry_at", "reason")
    list_filter = ("state",)
    list_select_related = ("agent_version__agent",)
    ordering = ("-id",)

    def subject_of(self, row: Breaker) -> str:
        return BREAKER.subject(row)

    @admin.display(description="State", ordering="state")
    def standing_state(self, row: Breaker) -> str:
        return str(BreakerState(row.state).label)

    def standing(self, row: Breaker) -> str:
        return "" if row.state == BreakerState.CLOSED else standing_of(row)


@admin.register(Trial)
class TrialPage(Record):
    list_display = ("agent_version", "standing_state", "verdict", "cost_usd", "asked_at", "ended_at")
    list_filter = ("state", "agent_version__agent")
    list_select_related = ("agent_version__agent",)
    readonly_fields = ("seen", "job")
    ordering = ("-id",)

    def subject_of(self, row: Trial) -> str:
        return TRIAL.subject(row)

    @admin.display(description="State", ordering="state")
    def standing_state(self, row: Trial) -> str:
        return str(TrialState(row.state).label)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = [name for name in super().get_fields(request, obj) if name != "steps"]
        return (*shown, "seen", "job")

    @admin.display(description="What was seen")
    def seen(self, row: Trial) -> str:
        return steps_of(row) or "Nothing yet."

    @admin.display(description="Output")
    def job(self, row: Trial) -> str:
        """Its job's page has what it writes, as it comes."""
        pk = Job.objects.filter(subject=f"trial:{row.pk}").order_by("-id").values_list("pk", flat=True).first()
        if pk is None:
            return "Its job is not there any more."
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">The page of its job</a>',
            reverse("job", args=[pk]),
        )
