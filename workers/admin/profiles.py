"""The form of an agent and its profile: what is typed becomes a version, or an error beside the field."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from portal.core import limits
from portal.core.typed_json import TypedJSONField
from workers.admin.containments import (
    CONTAINED,
    MOST_PARTS,
    PROFILE_CHARS,
    ContainmentFields,
    dollars,
    must_be_stored,
    parts,
)
from workers.agents.adapters import ADAPTERS
from workers.agents.adapters.launches import SESSION
from workers.models import Agent, Containment, Network

PROFILE: Final = (
    "adapter",
    "command",
    "resume",
    "environment",
    "secrets",
    "wall_seconds",
    "silence_seconds",
    "output_bytes",
    "max_failures",
    "budget_usd",
    *CONTAINED,
)
SHORTEST_SECONDS: Final = 5
LEAST_BYTES: Final = 1024
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AgentForm(ContainmentFields, forms.ModelForm):  # type: ignore[type-arg]
    """The agent, and its profile: a change of the profile makes the next version."""

    adapter = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="How the agent's output is read.")
    command = TypedJSONField(
        max_chars=PROFILE_CHARS,
        # An empty one is refused with the adapter's own command.
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f'The command as a list, such as ["claude", "-p"]. It runs without a shell. {SESSION} in it becomes'
        " the name of a fresh session.",
    )
    resume = TypedJSONField(
        max_chars=PROFILE_CHARS, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    environment = TypedJSONField(
        max_chars=PROFILE_CHARS,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text='Names of variables of the worker that the agent may see, such as ["PATH", "LANG"]. With HOME it has'
        " the worker's own home; without, one of its own.",
    )
    secrets = TypedJSONField(
        max_chars=PROFILE_CHARS,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text='Variables filled from the secret store: {"ANTHROPIC_API_KEY": "name-of-the-secret"}.',
    )
    wall_seconds = forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, help_text="A turn is stopped after this.")
    silence_seconds = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget, help_text="Or after this time without a line."
    )
    output_bytes = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget, help_text="Kept of each stream of a turn's output; the rest is cut."
    )
    max_failures = forms.IntegerField(
        widget=UnfoldAdminIntegerFieldWidget, help_text="Failed turns of a ticket after which it is given up."
    )
    budget_usd = forms.DecimalField(
        required=False,
        max_digits=8,
        decimal_places=2,
        label="Budget of a ticket in US dollars",
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="What the turns of one ticket may cost together, as far as the agent tells. Empty: no bound.",
    )

    class Meta:
        model = Agent
        fields = ("name", "enabled", "concurrency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = self.instance.versions.order_by("-number").first() if self.instance.pk else None
        self.fields["adapter"].choices = [(name, name) for name in sorted(ADAPTERS)]  # type: ignore[attr-defined]
        begins = _defaults()
        for name in PROFILE:
            self.fields[name].initial = getattr(newest, name) if newest else begins.get(name)
            self.fields[name].show_hidden_initial = True
        self.fields["resume"].help_text = _resume_help(str(self.data.get("adapter") or getattr(newest, "adapter", "")))

    def clean_command(self) -> list[str]:
        return parts(self.cleaned_data["command"] or [])

    def clean_resume(self) -> list[str]:
        found = parts(self.cleaned_data["resume"] or [])
        if found and not any(SESSION in part for part in found):
            raise forms.ValidationError(f'It needs "{SESSION}" where the name of the session belongs.')
        return found

    def clean_environment(self) -> list[str]:
        return [_variable(name) for name in parts(self.cleaned_data["environment"] or [])]

    def clean_secrets(self) -> dict[str, str]:
        value = self.cleaned_data["secrets"] or {}
        if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
            raise forms.ValidationError("Variable names and names of secrets are needed, as a JSON object.")
        if len(value) > MOST_PARTS:
            raise forms.ValidationError(f"At most {MOST_PARTS} (you gave {len(value)}).")
        for variable in value:
            _variable(variable)
        must_be_stored(value.values())
        return value

    def clean_wall_seconds(self) -> int:
        return _within(self.cleaned_data["wall_seconds"], SHORTEST_SECONDS, limits.value("TURN_WALL_SECONDS"))

    def clean_silence_seconds(self) -> int:
        return _within(self.cleaned_data["silence_seconds"], SHORTEST_SECONDS, limits.value("TURN_SILENCE_SECONDS"))

    def clean_output_bytes(self) -> int:
        return _within(self.cleaned_data["output_bytes"], LEAST_BYTES, limits.value("OUTPUT_CAP_BYTES"))

    def clean_max_failures(self) -> int:
        most = limits.BY_NAME["JOB_MAX_FAILURES"]
        return _within(self.cleaned_data["max_failures"], most.low, most.high)

    def clean_budget_usd(self) -> Decimal | None:
        return dollars(self.cleaned_data["budget_usd"])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("silence_seconds", 0) > self.cleaned_data.get("wall_seconds", 0):
            self.add_error("silence_seconds", "It cannot be longer than the whole turn.")
        if self.cleaned_data.get("command") == []:
            self.add_error("command", _suggestion(self.cleaned_data.get("adapter", "")))
        self.refuse_together()
        return cleaned


def _defaults() -> dict[str, Any]:
    return {
        "command": [],
        "resume": [],
        "environment": ["PATH", "LANG"],
        "secrets": {},
        "wall_seconds": limits.value("TURN_WALL_SECONDS"),
        "silence_seconds": min(limits.value("TURN_SILENCE_SECONDS"), limits.value("TURN_WALL_SECONDS")),
        "output_bytes": min(8_388_608, limits.value("OUTPUT_CAP_BYTES")),
        "max_failures": limits.value("JOB_MAX_FAILURES"),
        "containment": Containment.PLAIN,
        "network": Network.OPEN,
        **{name: [] for name in ("version_command", "wrapper", "readable")},
        **{name: {} for name in ("login", "limits")},
    }


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        shown = f"{name[:40]!r}"
        raise forms.ValidationError(f"{shown} is no variable's name: letters, digits and _, no digit first.")
    if name.startswith("SHIPROOM_"):
        raise forms.ValidationError(f"{name[:40]} is set by the portal itself, for each turn.")
    return name


def _within(value: int, least: int, most: int) -> int:
    if value < least:
        raise forms.ValidationError(f"At least {least:,} (you gave {value:,}).")
    if value > most:
        raise forms.ValidationError(f"At most {most:,} (you gave {value:,}).")
    return value


def _suggestion(adapter: str) -> str:
    launch = ADAPTERS[adapter].launch if adapter in ADAPTERS else None
    if launch is None or not launch.command:
        return (
            'A command is needed: a list of a program and its arguments, such as ["python3", "-I", "/path/agent.py"].'
        )
    return f"A command is needed. That of {adapter} is {json.dumps(launch.command)}"


def _resume_help(adapter: str) -> str:
    begins = f"The whole command that goes on with a session, {SESSION} in its place. Empty: each turn starts afresh."
    chosen = [adapter] if adapter in ADAPTERS else sorted(ADAPTERS)
    known = [(name, ADAPTERS[name].launch.resume) for name in chosen if ADAPTERS[name].launch.resume]
    return " ".join([begins, *(f"That of {name} is {json.dumps(resume)}." for name, resume in known)])
