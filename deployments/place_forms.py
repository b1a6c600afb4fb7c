"""What owners may send to services, environments and policies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from deployments.fields import COMMAND_HELP, AgeWords, CategoryWords, CommandLines, VariableLines
from deployments.intake import COMMANDED, BadStep, StepSpec
from deployments.models import Environment, OnFailure, PipelineStep, StepKind
from portal.core import limits
from reviews.models import Severity
from tickets.fields import Form, Lines, Versioned, Words


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


def whole(label: str, low: int, high: int, help_text: str) -> forms.IntegerField:
    said = f"A whole number from {low} to {high:,}."
    codes = ("required", "invalid", "min_value", "max_value")
    return forms.IntegerField(
        label=label,
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
    columns: ClassVar = ("place", "approvals_needed", "on_failure", "wait_hours", "variables")

    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.columns}

    @classmethod
    def of(cls, environment: Environment) -> dict[str, Any]:
        return {name: getattr(environment, name) for name in cls.columns}


class NewEnvironmentForm(Named, EnvironmentSettings):
    expected_version = None  # type: ignore[assignment]
    title = short_name("live")
    field_order = ("title", *EnvironmentSettings.columns)


# Pipelines ----------------------------------------------------------------------


def _command(label: str, help_text: str, rows: int = 2) -> CommandLines:
    widget = forms.Textarea(attrs={"rows": rows, "class": "in mono", "spellcheck": "false"})
    return CommandLines(label=label, help_text=help_text, widget=widget)


AGAIN: Final = (StepKind.COMMAND, StepKind.RESTART, StepKind.HEALTH)


class StepForm(Form):
    """One step: the fields that its kind has a use for."""

    step = Words(limit=60, label="Name", widget=forms.TextInput(attrs={"class": "in"}))
    command = _command("Command", f"{COMMAND_HELP} It runs in the files of the commit.", rows=3)
    undo = _command("Undo", "Brings back what the step changed. It may run more than once.")
    probe = _command("Probe", "Exit code 0 says that the step's effect is there: asked where a worker was lost in it.")
    url = Words(
        limit=300,
        label="Address",
        widget=forms.TextInput(attrs={"class": "in mono", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="Asked until it reports the deployed commit, such as http://127.0.0.1:{PORT}/health.",
    )
    instructions = Lines(
        limit=2000, label="What a person is to do", widget=forms.Textarea(attrs={"rows": 3, "class": "in"})
    )
    wall_seconds = whole("At most, in seconds", 0, 86_400, "0: as long as the installation allows.")
    again = forms.BooleanField(label="Runs again when another release goes back to this one", required=False)

    def __init__(self, kind: str, number: int, data: Any = None, **options: Any) -> None:
        self.kind = kind
        super().__init__(data, prefix=f"step-{number}", auto_id="%s", **options)
        for name in self.fields.keys() - used(kind):
            del self.fields[name]
        if "command" in self.fields:
            self.fields["command"].required = True

    @property
    def label(self) -> str:
        return str(StepKind(self.kind).label)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.spec = None if self.errors else self._spec(cleaned)
        return cleaned

    def _spec(self, cleaned: dict[str, Any]) -> StepSpec | None:
        fields = {name: value for name, value in cleaned.items() if name != "step"}
        try:
            return StepSpec(kind=self.kind, name=cleaned["step"], **({"again": False} | fields))
        except BadStep as problem:
            field = "step" if problem.field == "name" else problem.field
            self.add_error(field if field in self.fields else None, str(problem))
        return None


def used(kind: str) -> set[str]:
    """The fields of a step of this kind."""
    found = {"step"}
    if kind in COMMANDED:
        found |= {"command", "undo", "probe", "wall_seconds"}
    if kind == StepKind.HEALTH:
        found |= {"url", "wall_seconds"}
    if kind == StepKind.MANUAL:
        found |= {"instructions"}
    return found | ({"again"} if kind in AGAIN else set())


def initial_of(step: PipelineStep | StepSpec) -> dict[str, Any]:
    names = ("command", "undo", "probe", "url", "instructions", "wall_seconds", "again")
    return {"step": step.name, **{name: getattr(step, name) for name in names}}


class Pipeline:
    """The steps of a pipeline as a page edits them: rows with a number each, in the order in which they are sent.

    Adding, removing and moving are buttons of the same form, which keep what was typed as it was typed.
    """

    def __init__(self, rows: list[StepForm]) -> None:
        self.rows = rows
        self.problem = ""

    @classmethod
    def of(cls, steps: Iterable[PipelineStep | StepSpec]) -> Pipeline:
        return cls([StepForm(step.kind, n, initial=initial_of(step)) for n, step in enumerate(steps)])

    @classmethod
    def sent(cls, data: Any, *, bound: bool) -> Pipeline:
        """``bound``: to be checked; otherwise as it was typed, with no word about what is wrong."""
        # one more than there may be, so that too many are refused and not lost
        kinds = [(n, data.get(f"step-{n}-kind", "")) for n in range(limits.value("PIPELINE_STEPS") + 1)]
        rows = [StepForm(kind, n, data) for n, kind in kinds if kind in StepKind.values]
        return cls(rows if bound else [_typed(row, n) for n, row in enumerate(rows)])

    def rearranged(self, wish: str, data: Any) -> Pipeline:
        """With what a button asks for: ``add``, or ``up-2``, ``down-2``, ``remove-2``."""
        rows = list(self.rows)
        verb, _, number = wish.partition("-")
        place = int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else -1
        if verb == "add" and data.get("new-kind") in StepKind.values:
            if len(rows) < limits.value("PIPELINE_STEPS"):
                rows.append(StepForm(data["new-kind"], len(rows), initial=FRESH))
        elif verb == "remove" and 0 <= place < len(rows):
            del rows[place]
        elif verb in {"up", "down"} and 0 <= place < len(rows):
            other = place + (1 if verb == "down" else -1)
            if 0 <= other < len(rows):
                rows[place], rows[other] = rows[other], rows[place]
        return Pipeline([StepForm(row.kind, n, initial=row.initial) for n, row in enumerate(rows)])

    def specs(self) -> list[StepSpec] | None:
        """None where something is wrong; then the rows, or ``problem``, say it."""
        right = [row.is_valid() for row in self.rows]
        if not self.rows:
            self.problem = "A pipeline has at least one step. Add one."
        found = [row.spec for row in self.rows if row.is_valid() and row.spec is not None]
        return found if right and all(right) else None

    @property
    def full(self) -> bool:
        return len(self.rows) >= limits.value("PIPELINE_STEPS")


FRESH: Final = {"wall_seconds": 0, "again": True}


def _typed(row: StepForm, number: int) -> StepForm:
    """The row as it was sent, with nothing checked, under the number of its place."""
    initial = {
        name: field.widget.value_from_datadict(row.data, {}, row.add_prefix(name)) for name, field in row.fields.items()
    }
    return StepForm(row.kind, number, initial=initial)


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
    valid_hours = whole("Hours valid", 1, 720, "A verdict is asked for again after them.")
