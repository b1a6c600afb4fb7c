"""Freezes: planned and lifted; and the words that let a deployment through in spite of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from deployments import freezes, windows
from deployments.admin import asking
from deployments.forms import Placed
from deployments.freeze_forms import WallTime
from deployments.models import Environment, Freeze, FreezeOverride, FreezeState
from portal.core.adminsite import Record
from portal.core.deeds import Deed
from tickets.fields import Words
from tickets.models import Project


class NewFreeze(forms.ModelForm):  # type: ignore[type-arg]
    """When nothing goes to one environment, or to any of a project's."""

    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget, empty_label="Choose a project"
    )
    of_environment = Placed(
        Environment.objects.select_related("project").order_by("project__key", "place", "name"),
        label="Environment",
        required=False,
        empty_label="All of the project",
        widget=UnfoldAdminSelectWidget,
    )
    begins = WallTime(
        label="Begins",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="By the clocks of the time zone. Empty: now.",
    )
    ends = WallTime(label="Ends", widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}))
    zone = Words(limit=60, label="Time zone", initial="UTC", widget=UnfoldAdminTextInputWidget)
    each_week = forms.BooleanField(
        label="Again each week, until it is lifted", required=False, widget=UnfoldBooleanSwitchWidget
    )
    why = asking.why(required=True)

    class Meta:
        model = Freeze
        fields = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        environment, project = cleaned.get("of_environment"), cleaned.get("of_project")
        if environment and project and environment.project_id != project.pk:
            self.add_error("of_environment", f"{environment} is no environment of {project.key}.")
        if cleaned.get("ends") and not {"begins", "ends", "zone"} & self.errors.keys():
            try:
                freezes.times(cleaned["begins"], cleaned["ends"], cleaned["zone"], weekly=cleaned["each_week"])
            except freezes.BadTimes as problem:
                self.add_error("zone" if problem.field == "time_zone" else problem.field, str(problem))
        return cleaned


def lift(freeze: Freeze, asked: dict[str, Any], request: HttpRequest) -> str:
    freezes.lift(freeze, expected_version=asked["expected_version"], reason=asked["reason"])
    return f"{freeze.frozen.capitalize()} is frozen no longer by it."


@admin.register(Freeze)
class FreezePage(Record):
    list_display = ("frozen", "project", "begins_at", "ends_at", "time_zone", "weekly", "standing_state", "by")
    list_filter = ("state", "project", "weekly")
    list_select_related = ("project", "environment")
    search_fields = ("reason", "by", "environment__name", "project__key")
    ordering = ("-id",)
    deeds = (Deed("lift", "Lift", asking.Why, lift, lambda freeze: freeze.state == FreezeState.PLANNED),)

    def standing(self, row: Freeze) -> str:
        if row.state == FreezeState.LIFTED:
            return f"Lifted by {row.lifted_by}: {row.lift_reason}"
        found = freezes.now_in_force([row])
        if found:
            return f"It is in force until {windows.shown(found[0].window.ends, row.time_zone)}: {row.reason}"
        begins = windows.shown(row.begins_at, row.time_zone)
        return f"It is not in force now. It {'comes each week' if row.weekly else 'is planned'} from {begins} on."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Freeze]:
        rows: QuerySet[Freeze] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewFreeze}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        asked = ("of_project", "of_environment", "begins", "ends", "zone", "each_week", "why")
        return super().get_fields(request, obj) if obj else asked

    def save_model(self, request: HttpRequest, obj: Freeze, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = freezes.plan(
            typed["of_project"],
            environment=typed["of_environment"],
            begins=typed["begins"],
            ends=typed["ends"],
            time_zone=typed["zone"],
            weekly=typed["each_week"],
            reason=typed["why"],
        )
        obj.__dict__.update(made.__dict__)


@admin.register(FreezeOverride)
class FreezeOverridePage(Record):
    list_display = ("freeze", "deployment", "by_label", "reason", "at")
    list_select_related = (
        "freeze__project",
        "freeze__environment",
        "deployment__service",
        "deployment__environment",
    )
    search_fields = ("=deployment__id", "by_label", "reason")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FreezeOverride]:
        rows: QuerySet[FreezeOverride] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related)
