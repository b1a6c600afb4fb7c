"""Schedules in the admin: when they come, what they make, and a go at once."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from portal.core import clock
from portal.core.adminsite import Admin
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from portal.core.storable import is_storable
from portal.core.typed_json import TypedJSONField
from portal.core.unit import unit_of_work
from workers import calendars, kinds, schedules
from workers.admin.agents import Button
from workers.models import Pool, Schedule

COMING_SHOWN: Final = 5
LONGEST_SECONDS: Final = 366 * 86_400
PAYLOAD_CHARS: Final = 10_000


class PayloadField(TypedJSONField):
    """An object of names and values that every database keeps; empty is one without names."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if not isinstance(found, dict) and found is not None:
            raise forms.ValidationError('Names and values are needed, as a JSON object such as {"days": 7}.')
        written = json.dumps(found, ensure_ascii=False)
        if not is_storable(written) or "\\u0000" in written:
            raise forms.ValidationError("It holds a character that no database keeps.")
        return found or {}


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A schedule: one of pace and calendar says when."""

    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="The job that it makes.")
    every_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_SECONDS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A pace, whatever the clock on the wall says. Empty where there is a calendar.",
    )
    calendar = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Minute, hour, day of the month, month, day of the week, as cron has them: 30 6 * * MON-FRI is half"
        " past six on each working day. On the day when the clocks are changed a fixed time comes once.",
    )
    time_zone = forms.CharField(
        required=False,
        max_length=60,
        initial="UTC",
        widget=UnfoldAdminTextInputWidget,
        help_text="That of the calendar, such as Europe/Berlin.",
    )
    payload = PayloadField(
        max_chars=PAYLOAD_CHARS,
        required=False,
        initial=dict,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text='What the job is given, as a JSON object such as {"days": 7}.',
    )

    class Meta:
        model = Schedule
        fields = ("name", "kind", "every_seconds", "calendar", "time_zone", "payload", "missed", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {name for pool in Pool for short in (True, False) for name in kinds.names(pool, short=short)}
        choices = [(name, f"{kinds.label(name)} ({name})") for name in sorted(known)]
        own = self.instance.kind
        if own and own not in known:
            choices.append((own, f"{own} (unknown: its due times pass)"))
        field: Any = self.fields["kind"]
        field.choices = choices
        field.error_messages["invalid_choice"] = "No kind of job is named %(value)s."
        for field in self.fields.values():
            field.show_hidden_initial = True

    def clean_every_seconds(self) -> int:
        return self.cleaned_data["every_seconds"] or 0

    def clean_calendar(self) -> str:
        return " ".join(self.cleaned_data["calendar"].split())

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"].strip() or "UTC"
        try:
            calendars.zone(name)
        except calendars.BadZone as problem:
            raise forms.ValidationError(str(problem)) from None
        return name

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        pace, calendar = self.cleaned_data.get("every_seconds"), self.cleaned_data.get("calendar")
        if pace is None or calendar is None:
            return cleaned
        if pace and calendar:
            self.add_error("calendar", "Either a pace or a calendar says when: empty one of the two.")
        elif not pace and not calendar:
            self.add_error("every_seconds", "Something has to say when: a pace here, or a calendar below.")
        elif calendar:
            self._check_calendar(calendar)
        return cleaned

    def _check_calendar(self, calendar: str) -> None:
        try:
            calendars.read(calendar, self.cleaned_data.get("time_zone", "UTC"))
        except calendars.BadCalendar as problem:
            self.add_error("calendar", str(problem))


def run_now(schedule: Schedule, asked: dict[str, Any], request: HttpRequest) -> str:
    job, made = schedules.run_now(schedule)
    if made:
        return f"Job {job.pk} is queued. When the schedule comes due next stays as it is."
    return f"Job {job.pk} of this schedule is on its way already."


@admin.register(Schedule)
class SchedulePage(Admin):
    form = ScheduleForm
    list_display = ("name", "kind", "every_seconds", "calendar", "time_zone", "missed", "enabled", "next_due_at")
    list_filter = ("enabled", "missed")
    search_fields = ("name", "kind")
    readonly_fields = ("coming",)
    fields = (*ScheduleForm.Meta.fields, "coming", "history")
    deeds = (Deed("run", "Run now", Button, run_now),)

    @admin.display(description="Comes due")
    def coming(self, schedule: Schedule) -> str:
        try:
            found = schedules.coming(schedule, COMING_SHOWN)
        except (ValueError, OverflowError) as problem:
            return str(problem)
        zone = calendars.zone(schedule.time_zone)
        times = [(f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}",) for at in found]
        off = "" if schedule.enabled else "It is switched off. Switched on, it would come:"
        return format_html("{}<ul>{}</ul>", off, format_html_join("", "<li>{}</li>", times))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ScheduleForm.Meta.fields

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        if not change and obj.calendar:
            obj.next_due_at = schedules.next_due(obj, clock.now())
        try:
            with unit_of_work():
                super().save_model(request, obj, form, change)
                if change and _begins_anew(form):
                    schedules.restart(obj)
        except IntegrityError:
            raise Refused(
                "It has changed since you opened it: with what is stored now, it would have a pace and a calendar,"
                " or neither, or another's name. Open it again."
            ) from None


def _begins_anew(form: Any) -> bool:
    changed = set(form.changed_data)
    return bool(changed & set(schedules.WHEN)) or ("enabled" in changed and form.cleaned_data["enabled"])
