"""Jobs, workers, schedules and agents in the admin."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from portal.core import limits
from portal.core.adminsite import Admin, ReadOnly, Rows
from portal.core.unit import unit_of_work
from workers import queue
from workers.agents.adapters import ADAPTERS
from workers.models import Agent, AgentVersion, Attempt, Job, Lane, Schedule, ScheduleTick, Worker


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


# Agents ---------------------------------------------------------------------

PROFILE: Final = ("adapter", "command", "environment", "secrets", "wall_seconds", "silence_seconds")


def text_list(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise forms.ValidationError('A list of texts is needed, such as ["claude", "-p"].')
    return value


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]
    """The agent, and its profile: a change of the profile makes the next version."""

    adapter = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="How the agent's output is read.")
    command = forms.JSONField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text='The command as a list, such as ["claude", "-p"]. It runs without a shell.',
    )
    environment = forms.JSONField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text='Names of variables of the worker that the agent may see, such as ["PATH", "HOME"].',
    )
    secrets = forms.JSONField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text='Variables filled from the secret store: {"ANTHROPIC_API_KEY": "name-of-the-secret"}.',
    )
    wall_seconds = forms.IntegerField(
        min_value=5, widget=UnfoldAdminIntegerFieldWidget, help_text="A turn is stopped after this time."
    )
    silence_seconds = forms.IntegerField(
        min_value=5, widget=UnfoldAdminIntegerFieldWidget, help_text="Or after this time without a line."
    )

    class Meta:
        model = Agent
        fields = ("name", "enabled", "concurrency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = self.instance.versions.order_by("-number").first() if self.instance.pk else None
        self.fields["adapter"].choices = [(name, name) for name in sorted(ADAPTERS)]  # type: ignore[attr-defined]
        for name in PROFILE:
            self.fields[name].initial = getattr(newest, name) if newest else DEFAULTS.get(name)
            self.fields[name].show_hidden_initial = True
        for name in ("wall_seconds", "silence_seconds"):
            if newest is None:
                self.fields[name].initial = limits.value(f"TURN_{name.upper()}")

    def clean_command(self) -> list[str]:
        return text_list(self.cleaned_data["command"])

    def clean_environment(self) -> list[str]:
        value = self.cleaned_data["environment"]
        return text_list(value) if value else []

    def clean_secrets(self) -> dict[str, str]:
        value = self.cleaned_data["secrets"] or {}
        if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
            raise forms.ValidationError("Variable names and names of secrets are needed, as a JSON object.")
        return value

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("silence_seconds", 0) > self.cleaned_data.get("wall_seconds", 0):
            self.add_error("silence_seconds", "It cannot be longer than the whole turn.")
        return cleaned


DEFAULTS: Final[dict[str, Any]] = {"command": [], "environment": ["PATH", "HOME", "LANG"], "secrets": {}}


class Versions(Rows):
    model = AgentVersion
    fields: ClassVar = ("number", "adapter", "command", "wall_seconds", "silence_seconds", "created_at")
    readonly_fields = fields
    ordering = ("-number",)
    per_page = 20
    show_change_link = False


@admin.register(Agent)
class AgentPage(Admin):
    form = AgentForm
    list_display = ("name", "enabled", "concurrency")
    list_filter = ("enabled",)
    search_fields = ("name",)
    inlines = (Versions,)
    fieldsets = (
        (None, {"fields": ("name", "enabled", "concurrency")}),
        (
            "Profile",
            {
                "fields": PROFILE,
                "description": "A change of the profile makes the next version; turns keep the one they ran with.",
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Turns name the version that they ran with: an agent is switched off."""
        return False

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        with unit_of_work() as work:
            super().save_model(request, obj, form, change)
            if not change or "concurrency" in form.changed_data:
                queue.set_lane(obj.lane, form.cleaned_data["concurrency"])
            if change and not set(PROFILE) & set(form.changed_data):
                return
            Agent.objects.select_for_update().get(pk=obj.pk)
            last = AgentVersion.objects.filter(agent=obj).aggregate(last=Max("number"))["last"] or 0
            made = AgentVersion.objects.create(
                agent=obj, number=last + 1, **{name: form.cleaned_data[name] for name in PROFILE}
            )
            work.record("agent.version", self.subject_of(obj), after={"number": made.number, "command": made.command})


@admin.register(AgentVersion)
class AgentVersionPage(ReadOnly):
    list_display = ("agent", "number", "adapter", "wall_seconds", "silence_seconds", "created_at")
    list_filter = ("agent",)
    list_select_related = ("agent",)
    ordering = ("-id",)
