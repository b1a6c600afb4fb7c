"""Agents in the admin: their profiles, whether they can work, and a try."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from portal.core.adminsite import Admin, Rows
from portal.core.asking import Reasoned
from portal.core.deeds import Deed
from portal.core.unit import unit_of_work
from workers import queue
from workers.admin.profiles import PROFILE, AgentForm
from workers.agents import breakers, containment, trials
from workers.models import Agent, AgentVersion, Breaker, BreakerState, Trial, TrialState

TRIALS_SHOWN: Final = 10


class Versions(Rows):
    model = AgentVersion
    fields: ClassVar = (
        "number",
        "adapter",
        "model",
        "command",
        "resume",
        "containment",
        "network",
        "trusted",
        "wall_seconds",
        "silence_seconds",
        "output_bytes",
        "max_failures",
        "budget_usd",
        "turn_budget_usd",
        "day_budget_usd",
        "also",
        "created_at",
    )
    readonly_fields = fields
    ordering = ("-number",)
    per_page = 20
    show_change_link = False

    @admin.display(description="Beside that")
    def also(self, version: AgentVersion) -> str:
        """What few profiles have; of secrets, the names."""
        names = ("environment", "secrets", "login", "wrapper", "readable", "limits", "version_command")
        said = (f"{name}: {json.dumps(value)}" for name in names if (value := getattr(version, name)))
        return "; ".join(said) or "-"


class Button(forms.Form):
    """A button alone."""


def try_it(agent: Agent, asked: dict[str, Any], request: HttpRequest) -> str:
    trial = trials.ask(agent)
    return f"{trial.agent_version} is being tried. What comes of it stands under Trials."


def close_breakers(agent: Agent, asked: dict[str, Any], request: HttpRequest) -> str:
    with unit_of_work():
        for breaker in not_closed(agent):
            breakers.close(breaker, reason=asked["reason"])
    return f"Turns of {agent} may begin again."


def not_closed(agent: Agent) -> list[Breaker]:
    rows = Breaker.objects.filter(agent_version__agent=agent).exclude(state=BreakerState.CLOSED)
    return list(rows.select_related("agent_version__agent").order_by("-agent_version__number"))


@admin.register(Agent)
class AgentPage(Admin):
    form = AgentForm
    list_display = ("name", "enabled", "concurrency", "breaker")
    list_filter = ("enabled",)
    search_fields = ("name",)
    readonly_fields = ("runs", "trials")
    inlines = (Versions,)
    fieldsets = (
        (None, {"fields": ("name", "enabled", "concurrency", "runs")}),
        (
            "Program",
            {
                "fields": ("adapter", "model", "command", "resume", "version_command"),
                "description": "A change of the profile makes the next version; turns keep the one they ran with.",
            },
        ),
        ("What it is given", {"fields": ("environment", "secrets", "login")}),
        (
            "What is around it",
            {"fields": ("containment", "trusted", "network", "readable", "wrapper")},
        ),
        ("What ends a turn", {"fields": ("wall_seconds", "silence_seconds", "output_bytes", "limits", "max_failures")}),
        ("What it may cost", {"fields": ("turn_budget_usd", "budget_usd", "day_budget_usd")}),
        ("Trials", {"fields": ("trials",)}),
    )
    deeds = (
        Deed("try", "Try it", Button, try_it),
        Deed("close_breaker", "Close the breaker", Reasoned, close_breakers, lambda agent: bool(not_closed(agent))),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        """With the state of the breaker that is not closed, of the newest profile that has one."""
        open_ones = Breaker.objects.filter(agent_version__agent=OuterRef("pk")).exclude(state=BreakerState.CLOSED)
        state = open_ones.order_by("-agent_version__number").values("state")[:1]
        found: QuerySet[Agent] = super().get_queryset(request)
        return found.annotate(breaker_state=Subquery(state))

    @admin.display(description="Breaker")
    def breaker(self, agent: Any) -> str:
        return str(BreakerState(agent.breaker_state or BreakerState.CLOSED).label)

    def standing(self, agent: Agent) -> str:
        return " ".join(standing_of(breaker) for breaker in not_closed(agent))

    @admin.display(description="How it runs")
    def runs(self, agent: Agent) -> str:
        newest = agent.versions.order_by("-number").first()
        return containment.told(newest) if newest else "It has no profile yet."

    @admin.display(description="Newest first")
    def trials(self, agent: Agent) -> str:
        rows = Trial.objects.filter(agent_version__agent=agent).select_related("agent_version__agent").order_by("-id")
        found = list(rows[: TRIALS_SHOWN + 1])
        if not found:
            return "It was never tried."
        lines = format_html_join(
            "",
            '<li><a class="text-primary-600 dark:text-primary-500" href="{}">Version {}</a>, {}, {}. {}{}</li>',
            (
                (
                    reverse("admin:workers_trial_change", args=[trial.pk]),
                    trial.agent_version.number,
                    f"{timezone.localtime(trial.asked_at):%Y-%m-%d %H:%M}",
                    TrialState(trial.state).label.lower(),
                    trial.verdict,
                    # Of the one that was asked for last; the others have them on their own pages.
                    steps_of(trial) if trial is found[0] else "",
                )
                for trial in found[:TRIALS_SHOWN]
            ),
        )
        more = "Older ones are under Trials." if len(found) > TRIALS_SHOWN else ""
        return format_html("<ul>{}</ul>{}", lines, more)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """One that is not there yet has neither run nor been tried."""
        if obj:
            return self.fieldsets
        return ((None, {"fields": ("name", "enabled", "concurrency")}), *self.fieldsets[1:-1])

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


def steps_of(trial: Trial) -> str:
    """What was seen of it, a line each; empty where it is not over."""
    marks = {True: "✓", False: "✗"}
    lines = ((marks.get(step.get("ok"), "·"), step.get("text", "")) for step in trial.steps)
    listed = format_html_join("", "<li>{} {}</li>", lines)
    return format_html("<ol>{}</ol>", listed) if listed else ""


def standing_of(breaker: Breaker) -> str:
    """What the breaker does, and until when."""
    said = breakers.waiting(breaker)
    if breaker.state == BreakerState.OPEN and breaker.retry_at is not None:
        return f"{said} One tries again at {timezone.localtime(breaker.retry_at):%Y-%m-%d %H:%M:%S}."
    return said
