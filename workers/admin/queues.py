"""Pauses and lanes in the admin: what is held, and how much runs at once."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from portal.core.adminsite import Admin
from portal.core.asking import REASON_CHARS, Reasoned
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from workers import kinds, pools, queue
from workers.models import Lane, Pause, Pool
from workers.queue import kind_lane

MOST_SLOTS: Final = 1000


class PauseForm(forms.ModelForm):  # type: ignore[type-arg]
    """A pool or a kind, and why."""

    held = forms.ChoiceField(label="Pool or kind", widget=UnfoldAdminSelectWidget)
    why = forms.CharField(
        label="Reason",
        max_length=REASON_CHARS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Everybody who opens the page of the workers reads it. What runs goes on.",
        error_messages={"required": "Say why: the reason is what the next reader has."},
    )

    class Meta:
        model = Pause
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "held" in self.fields:
            choices = [(f"pool:{pool.value}", f"Pool: {pool.label}") for pool in Pool]
            choices += [(f"kind:{kind}", f"Kind: {kinds.label(kind)}") for kind in kinds.known()]
            field: Any = self.fields["held"]
            field.choices = choices
            field.error_messages["invalid_choice"] = "There is no queue %(value)s."


def resume(pause: Pause, asked: dict[str, Any], request: HttpRequest) -> str:
    if not queue.resume(pause.name, reason=asked["reason"]):
        raise Refused(f"{pause.name} is not paused any more.")
    return f"{pause.name} goes on."


@admin.register(Pause)
class PausePage(Admin):
    """To pause is to add one; to resume is its deed. Nothing of it is edited."""

    list_display = ("name", "reason", "paused_by", "paused_at")
    search_fields = ("name", "reason")
    ordering = ("name",)
    deeds = (Deed("resume", "Resume", Reasoned, resume),)

    def subject_of(self, row: Pause) -> str:
        return row.name

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It goes by being resumed, with a reason."""
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": PauseForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "reason", "paused_by", "paused_at", "history") if obj else ("held", "why")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "reason", "paused_by", "paused_at", "history") if obj else ()

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        obj.name = form.cleaned_data["held"]
        if not queue.pause(obj.name, reason=form.cleaned_data["why"]):
            raise Refused(f"{obj.name} is paused already.")

    def _address(self, row: Any) -> str:
        """Once it is resumed, there is no page of it."""
        if Pause.objects.filter(pk=row.pk).exists():
            return super()._address(row)
        return reverse(f"{self.admin_site.name}:workers_pause_changelist")


class LaneForm(forms.ModelForm):  # type: ignore[type-arg]
    """How many run at once; a new one is that of a kind."""

    limited = forms.ChoiceField(
        label="Kind",
        widget=UnfoldAdminSelectWidget,
        help_text="On all machines together. Jobs with a lane of their own, such as an agent's turns, keep to that.",
    )
    slots = forms.IntegerField(
        label="At once",
        min_value=1,
        max_value=MOST_SLOTS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"1 to {MOST_SLOTS}. Of those over a lowered number each runs to its end.",
        error_messages={
            "min_value": "At least %(limit_value)s; to let none run, pause the kind.",
            "max_value": "At most %(limit_value)s.",
        },
    )

    class Meta:
        model = Lane
        fields = ("slots",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            # What it limits was said when it was made.
            self.fields.pop("limited")
        else:
            field: Any = self.fields["limited"]
            field.choices = [(kind_lane(kind), f"{kinds.label(kind)} ({kind})") for kind in pools.unlimited()]
            field.error_messages["invalid_choice"] = "No kind without a limit is named %(value)s."


@admin.register(Lane)
class LanePage(Admin):
    form = LaneForm
    list_display = ("name", "slots")
    search_fields = ("name",)
    ordering = ("name",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "slots", "history") if obj else ("limited", "slots")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("name", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Lane, form: Any, change: bool) -> None:
        slots = form.cleaned_data["slots"]
        with unit_of_work() as work:
            if not change:
                obj.name = form.cleaned_data["limited"]
            stored = Lane.objects.select_for_update().filter(name=obj.name).values_list("slots", flat=True).first()
            if stored == slots:
                return
            queue.set_lane(obj.name, slots)
            before = {} if stored is None else {"slots": stored}
            work.record("lane.changed", f"lane:{obj.name}", before=before, after={"slots": slots})
