"""What people may send about freezes: to plan one, to lift it, to override it for one deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from deployments import freezes, overriding, windows
from deployments.forms import reason
from deployments.models import Deployment, Environment
from tickets.fields import Form, Versioned, Words
from tickets.models import Project


class WallTime(Words):
    """A time as clocks somewhere show it, without a zone."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"class": "in short", "type": "datetime-local"})
        super().__init__(limit=40, **{"widget": widget, **options})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return windows.read(text) if text else None
        except windows.NoSuchTime as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value


class FreezeTimes(forms.Form):
    """When it is; what is wrong is said at its field."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not {"begins", "ends", "time_zone"} & self.errors.keys() and cleaned.get("ends"):
            try:
                freezes.times(cleaned["begins"], cleaned["ends"], cleaned["time_zone"], weekly=cleaned["weekly"])
            except freezes.BadTimes as problem:
                self.add_error(problem.field, str(problem))
        return cleaned


class FreezeForm(FreezeTimes, Form):
    name = "freeze"
    environment = forms.ModelChoiceField(
        Environment.objects.none(),
        label="Environment",
        required=False,
        error_messages={"invalid_choice": "Choose an environment of the list."},
    )
    begins = WallTime(label="Begins", required=False, help_text="Empty: now.")
    ends = WallTime(label="Ends", help_text="A time that the clocks show twice is the second one.")
    time_zone = Words(
        limit=60,
        label="Time zone",
        widget=forms.TextInput(attrs={"class": "in short", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="In which both are typed, and shown, such as Europe/Berlin.",
    )
    weekly = forms.BooleanField(label="Again each week, at the same times, until it is lifted", required=False)
    reason = reason("Why nothing goes there")

    def __init__(self, project: Project, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        field: Any = self.fields["environment"]
        field.queryset = Environment.objects.filter(project=project).order_by("place", "name")
        field.empty_label = f"All of {project.key}"


class LiftFreezeForm(Versioned):
    name = "lift"
    reason = reason("Why it is lifted")


class OverrideForm(Form):
    """For the plan that the page shows; the template writes which that is."""

    name = "override"
    freeze = forms.TypedChoiceField(
        label="Freeze",
        coerce=int,
        error_messages={
            "required": "Choose a freeze.",
            "invalid_choice": "This freeze does not keep it, or not any more.",
        },
    )
    plan_digest = Words(limit=64, label="Plan", required=False, widget=forms.HiddenInput())
    reason = reason("Why it cannot wait")

    def __init__(self, deployment: Deployment, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        field: Any = self.fields["freeze"]
        field.choices = [(found.pk, f"{found}: {found.reason}"[:120]) for found in overriding.to_override(deployment)]
