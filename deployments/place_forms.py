"""What owners may send to services, environments and policies."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from deployments import soaking
from deployments.fields import AgeWords, CategoryWords, VariableLines
from deployments.models import Environment, OnFailure
from reviews.models import Severity
from tickets.fields import Form, Versioned, Words
from tickets.models import Project


def short_name(what: str) -> Words:
    return Words(
        limit=60,
        label="Name",
        widget=forms.TextInput(attrs={"class": "in short mono", "autocapitalize": "off"}),
        help_text=f"Letters, digits, - and _, such as {what}. It never changes.",
    )


class Named(Form):
    """Something of a project with a short name."""

    title: forms.Field = short_name("web")

    def clean_title(self) -> str:
        title = str(self.cleaned_data["title"])
        if not re.fullmatch(r"[A-Za-z0-9_-]+", title, re.ASCII):
            raise ValidationError("Letters, digits, - and _ only.")
        return title


class ServiceForm(Named):
    name = "service"


# Environments -------------------------------------------------------------------


def whole(label: str, low: int, high: int, help_text: str, *, required: bool = True) -> forms.IntegerField:
    said = f"A whole number from {low} to {high:,}."
    codes = ("required", "invalid", "min_value", "max_value")
    return forms.IntegerField(
        label=label,
        required=required,
        min_value=low,
        max_value=high,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"class": "in short"}),
        error_messages=dict.fromkeys(codes, said),
    )


class EnvironmentSettings(Versioned):
    """The columns of an environment that its project's owners set."""

    name = "environment"
    place = whole("Place", 0, 999, "Environments stand in this order, left to right.")
    approvals_needed = whole(
        "Approvals needed", 0, 20, "Of people with the role releaser, never of who asked. A team of one takes 0."
    )
    approval_hours = whole(
        "Hours of an approval", 0, 2160, "An approval that is older counts no more. 0: it counts as long as its plan."
    )
    follows = forms.ModelChoiceField(
        Environment.objects.none(),
        label="Follows",
        required=False,
        empty_label="No other",
        help_text="A commit goes here once it stands in that one, and its service says so itself.",
        error_messages={"invalid_choice": "Choose an environment of the list."},
    )
    soak_minutes = whole("Minutes there", 0, 40_320, "For so long, without a break. 0: it has to stand there now.")
    on_failure = forms.ChoiceField(
        label="If a step fails",
        choices=OnFailure.choices,
        error_messages={"invalid_choice": "Choose one of the list.", "required": "Choose one of the list."},
    )
    wait_hours = whole("Hours at the gate", 1, 2160, "A deployment whose gate is not open by then is refused.")
    variables = VariableLines(
        label="Variables",
        widget=forms.Textarea(attrs={"rows": 4, "class": "in mono", "spellcheck": "false"}),
        help_text="NAME=value, one a line: each command gets them, and an address may name one as {NAME}. Everybody in"
        " the project sees them, so no secrets.",
    )
    migrations_rehearsed = forms.BooleanField(
        label="Migrations are rehearsed",
        required=False,
        help_text="A migration takes a backup step, a rehearse step and a way back, or a waiver by a second person.",
    )
    columns: ClassVar = (
        "place",
        "approvals_needed",
        "approval_hours",
        "follows",
        "soak_minutes",
        "on_failure",
        "wait_hours",
        "variables",
        "migrations_rehearsed",
    )

    def __init__(
        self, project: Project, *arguments: Any, environment: Environment | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.project, self.environment = project, environment
        others = Environment.objects.filter(project=project)
        others = others.exclude(pk=environment.pk) if environment else others
        self.fields["follows"].queryset = others.order_by("place", "name")  # type: ignore[attr-defined]

    def clean_follows(self) -> Environment | None:
        found: Environment | None = self.cleaned_data["follows"]
        if problem := soaking.problem_of(self.environment, self.project, found):
            raise ValidationError(problem)
        return found

    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.columns}

    @classmethod
    def of(cls, environment: Environment) -> dict[str, Any]:
        return {name: getattr(environment, name) for name in cls.columns}


class NewEnvironmentForm(Named, EnvironmentSettings):
    expected_version = None  # type: ignore[assignment]
    title = short_name("live")
    field_order = ("title", *EnvironmentSettings.columns)


# Policies -----------------------------------------------------------------------


class PolicyForm(Form):
    """What holds a project's deployments, over the policy that its owner saw."""

    name = "policy"
    expected_number = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    severities = forms.MultipleChoiceField(
        label="A finding of these severities holds",
        choices=[(severity.value, severity.label) for severity in Severity if severity != Severity.NONE],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "“%(value)s” is no severity."},
    )
    ages = AgeWords(widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}))
    categories = CategoryWords(widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}))
    checks = forms.BooleanField(label="Its checks must have passed", required=False)
    waived_holds = forms.BooleanField(label="Waived findings hold, too", required=False)
    council = forms.BooleanField(label="A council must have said ship of the commit", required=False)
    valid_hours = whole("Hours valid", 1, 720, "A verdict is asked for again after them.")
