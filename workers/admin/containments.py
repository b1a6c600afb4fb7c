"""The part of a profile's form that says what is around the agent, what it is given, and what it may use up."""

from __future__ import annotations

import json
import os.path
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from portal.core.models import Secret
from portal.core.typed_json import TypedJSONField
from workers.agents import containment, logins
from workers.agents.adapters import ADAPTERS
from workers.agents.adapters.launches import MODEL
from workers.agents.containment import COMMAND, CWD, HOME
from workers.agents.running import RESOURCES
from workers.models import Containment, Network

MOST_PARTS: Final = 100
PART_CHARS: Final = 4000
PROFILE_CHARS: Final = 500_000
CONTAINED: Final = (
    "model",
    "version_command",
    "containment",
    "network",
    "wrapper",
    "readable",
    "trusted",
    "login",
    "limits",
    "turn_budget_usd",
    "day_budget_usd",
)
# Least and most of each bound that a profile may set.
BOUNDS: Final = {
    "cpu_seconds": (1, 604_800),
    "file_bytes": (1024, 2**44),
    "open_files": (32, 1_048_576),
    "processes": (16, 1_000_000),
    "memory_bytes": (16_777_216, 2**44),
}


def _json(help_text: str, rows: int = 2) -> TypedJSONField:
    return TypedJSONField(
        max_chars=PROFILE_CHARS,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": rows}),
        help_text=help_text,
    )


def _dollars(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        required=False,
        max_digits=8,
        decimal_places=2,
        label=label,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=help_text,
    )


class ContainmentFields(forms.Form):
    """What a profile has beside its commands and its times. ``refuse_together`` looks at them and the commands."""

    model = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=f"Stands in the place of {MODEL} in command and resume. Empty: the agent's own choice.",
    )
    version_command = _json(
        'The command that prints the program\'s version, such as ["claude", "--version"]. Empty: the adapter\'s own.'
        " Each turn names what it ran with."
    )
    containment = forms.ChoiceField(
        choices=Containment.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="Plain protects nothing: the agent runs as the portal's user. Bubblewrap shows it its worktree, its"
        " home and the system's programs alone. A wrapper is a command of yours around it.",
    )
    network = forms.ChoiceField(
        choices=Network.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="In a box of bubblewrap's: none cuts it off, from its model's API as well.",
    )
    wrapper = _json(
        f'The wrapper as a list, {COMMAND} in the place of the whole command: ["systemd-run", "--scope", "--quiet",'
        f' "-p", "MemoryMax=2G", "{COMMAND}"]. {CWD} and {HOME} in it become the worktree and the home.'
    )
    readable = _json(
        'Absolute paths that it may read in a box: ["/opt/tools"]. Where its program and its interpreter lie is shown'
        " anyway."
    )
    trusted = forms.BooleanField(
        required=False,
        label="I trust this agent like myself",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Lets it run plain where the worker is root.",
    )
    login = _json(
        'Its own login: files below its home, filled from the secret store: {".claude/.credentials.json":'
        ' "name-of-the-secret"}. A file that the agent refreshes is kept until the secret changes.'
    )
    limits = _json(
        'Bounds of each of its processes: {"cpu_seconds": 3600, "file_bytes": 1000000000, "open_files": 4096,'
        ' "processes": 2000}. "memory_bytes" counts addresses, of which Node reserves far more than it uses: it breaks'
        ' most agents. "processes" counts all of the worker\'s user.'
    )
    turn_budget_usd = _dollars(
        "Budget of a turn in US dollars",
        "A turn that cost more ends as blocked, for a person to look at; what it did is kept. Known when it has ended.",
    )
    day_budget_usd = _dollars(
        "Budget of a day in US dollars",
        "What its turns of the last 24 hours may cost, of all tickets; until then none begins. Empty: no bound.",
    )

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        if model.startswith("-") or not model.isprintable():
            raise forms.ValidationError("A model's name is one line, and begins with no -.")
        return model

    def clean_version_command(self) -> list[str]:
        return parts(self.cleaned_data["version_command"] or [])

    def clean_wrapper(self) -> list[str]:
        return parts(self.cleaned_data["wrapper"] or [])

    def clean_readable(self) -> list[str]:
        found = parts(self.cleaned_data["readable"] or [])
        for path in found:
            if wrong := _unreadable(path):
                raise forms.ValidationError(wrong)
        return found

    def clean_login(self) -> dict[str, str]:
        value = self.cleaned_data["login"] or {}
        if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
            raise forms.ValidationError("Paths below HOME and names of secrets are needed, as a JSON object.")
        if len(value) > logins.MOST_FILES:
            raise forms.ValidationError(f"At most {logins.MOST_FILES} files (you gave {len(value)}).")
        for path in value:
            if wrong := logins.fault(path):
                raise forms.ValidationError(wrong)
            if inner := next((other for other in value if other.startswith(f"{path}/")), ""):
                raise forms.ValidationError(f"{path!r} cannot be a file and the folder of {inner!r}.")
        must_be_stored(value.values())
        return value

    def clean_limits(self) -> dict[str, int]:
        value = self.cleaned_data["limits"] or {}
        if not isinstance(value, dict):
            raise forms.ValidationError('Names and numbers are needed, as a JSON object, such as {"open_files": 4096}.')
        for name, most in value.items():
            if wrong := _unbounded(name, most):
                raise forms.ValidationError(wrong)
        return value

    def clean_turn_budget_usd(self) -> Decimal | None:
        return dollars(self.cleaned_data["turn_budget_usd"])

    def clean_day_budget_usd(self) -> Decimal | None:
        return dollars(self.cleaned_data["day_budget_usd"])

    def refuse_together(self) -> None:
        """What is wrong only beside another field. Call it when each is clean by itself."""
        found = self.cleaned_data
        self._refuse_model(found)
        box, around = found.get("containment"), found.get("wrapper")
        if box == Containment.WRAPPER and around is not None and around.count(COMMAND) != 1:
            self.add_error("wrapper", f'It needs "{COMMAND}" once, as an element of its own.')
        elif box != Containment.WRAPPER and around:
            self.add_error("wrapper", "Only the containment Wrapper has one. Choose that, or empty this.")
        if box != Containment.BUBBLEWRAP:
            if found.get("network") == Network.NONE:
                self.add_error("network", "Only Bubblewrap cuts it off here; a wrapper does that by its command.")
            if found.get("readable"):
                self.add_error("readable", "Only Bubblewrap shows paths. Choose that, or empty this.")
        elif "HOME" in found.get("environment", []):
            self.add_error("environment", "In a box it has a home of its own: take HOME out.")
        if box == Containment.PLAIN and containment.is_root() and not found.get("trusted"):
            self.add_error(
                "trusted",
                "The portal runs as root, and so would this agent. Choose a containment, or trust it like yourself.",
            )

    def _refuse_model(self, found: Mapping[str, Any]) -> None:
        if not {"command", "resume", "model"} <= found.keys():
            return
        places = any(MODEL in part for part in (*found["command"], *found["resume"]))
        if found["model"] and not places:
            own = ADAPTERS[found["adapter"]].launch.model if found.get("adapter") in ADAPTERS else ()
            adds = f" The arguments of {found['adapter']} are {json.dumps(own)}." if own else ""
            self.add_error("model", f'Neither command nor resume has "{MODEL}", where it belongs.{adds}')
        if places and not found["model"]:
            self.add_error("model", f'The command has a place for it, "{MODEL}": name one, or take that out.')


def parts(value: Any) -> list[str]:
    """A list of arguments. Raises ``ValidationError``."""
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise forms.ValidationError('A list of texts is needed, such as ["claude", "-p"].')
    if len(value) > MOST_PARTS:
        raise forms.ValidationError(f"At most {MOST_PARTS} (you gave {len(value)}).")
    for number, part in enumerate(value, 1):
        if len(part) > PART_CHARS:
            raise forms.ValidationError(f"Number {number} has {len(part):,} characters; at most {PART_CHARS:,}.")
        if "\x00" in part or any("\ud800" <= letter <= "\udfff" for letter in part):
            raise forms.ValidationError(f"Number {number} holds a character that no process can be given.")
    return value


def must_be_stored(names: Iterable[str]) -> None:
    """Raises ``ValidationError`` that names the secrets that are not there."""
    wanted = set(names)
    known = set(Secret.objects.filter(name__in=wanted).values_list("name", flat=True))
    if missing := sorted(wanted - known):
        named = ", ".join(name[:80] for name in missing[:5])
        raise forms.ValidationError(f"Not in the secret store: {named}. Store it under Secrets first.")


def dollars(budget: Decimal | None) -> Decimal | None:
    """A budget. Raises ``ValidationError``."""
    if budget is not None and budget < Decimal("0.01"):
        raise forms.ValidationError(f"At least 0.01 (you gave {budget}). Leave it empty for no bound.")
    return budget


def _unreadable(path: str) -> str:
    if not path.startswith("/") or os.path.normpath(path) != path or path.startswith("//"):
        return f"{path[:80]!r} is no plain absolute path."
    if path == "/":
        return "Of a box that shows everything nothing is left: name what it needs."
    if Path(path).is_relative_to(settings.DATA_DIR):
        return f"{path[:80]} lies in the portal's own data, which no box shows."
    return ""


def _unbounded(name: str, most: object) -> str:
    if name not in BOUNDS:
        return f"{name[:40]!r} is no bound; there are: {', '.join(RESOURCES)}."
    low, high = BOUNDS[name]
    if not isinstance(most, int) or isinstance(most, bool):
        return f"{name} is a whole number."
    return "" if low <= most <= high else f"{name} is {low:,} to {high:,} (you gave {most:,})."
