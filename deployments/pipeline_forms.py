"""What owners may send as the pipeline of a service: steps, each with the fields that its kind has a use for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from deployments.fields import COMMAND_HELP, CommandLines, StatusWords
from deployments.intake import AGAIN, ASKING, COMMANDED, DETAILS, RETRIED, UNDONE, BadStep, StepSpec
from deployments.models import Method, PipelineStep, StepKind
from deployments.place_forms import whole
from portal.core import limits
from tickets.fields import Form, Lines, Words


def _command(label: str, help_text: str, rows: int = 2) -> CommandLines:
    widget = forms.Textarea(attrs={"rows": rows, "class": "in mono", "spellcheck": "false"})
    return CommandLines(label=label, help_text=help_text, widget=widget)


class StepForm(Form):
    """One step: the fields that its kind has a use for."""

    step = Words(limit=60, label="Name", widget=forms.TextInput(attrs={"class": "in"}))
    command = _command("Command", f"{COMMAND_HELP} It runs in the files of the commit.", rows=3)
    undo = _command("Undo", "Brings back what the step changed. It may run more than once.")
    probe = _command("Probe", "Exit code 0 says that the step's effect is there: asked where a worker was lost in it.")
    verify = _command("Rehearse the restore", "Run right after. Where it fails, the step fails: it was no backup.")
    structure = _command("Print the structure", "Prints what the database is made of: run before and after, compared.")
    url = Words(
        limit=300,
        label="Address",
        widget=forms.TextInput(attrs={"class": "in mono", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="Asked until it reports the deployed commit, such as http://127.0.0.1:{PORT}/health.",
    )
    method = forms.ChoiceField(
        label="Asked by",
        choices=Method.choices,
        required=False,
        error_messages={"invalid_choice": "Choose one of the list."},
    )
    statuses = StatusWords(widget=forms.TextInput(attrs={"class": "in", "autocomplete": "off"}))
    contains = Words(
        limit=300,
        label="Text that is in it",
        required=False,
        widget=forms.TextInput(attrs={"class": "in mono", "autocomplete": "off"}),
        help_text="Looked for in its first 64 KiB, letter by letter. Empty: whatever it says.",
    )
    pause_seconds = whole("Seconds", 1, 2_592_000, "It holds no worker meanwhile. A releaser may end it early.")
    soak_seconds = whole(
        "Right for, in seconds", 0, 86_400, "A wrong answer begins it anew. 0: a few answers.", required=False
    )
    retries = whole("More goes", 0, 100, "By itself after its own failure, later each time.", required=False)
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
        if kind == StepKind.HTTP:
            self.fields["url"].help_text = "Asked until it answers so, such as http://127.0.0.1:{PORT}/ready."

    @property
    def label(self) -> str:
        return str(StepKind(self.kind).label)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.spec = None if self.errors else self._spec(cleaned)
        return cleaned

    def _spec(self, cleaned: dict[str, Any]) -> StepSpec | None:
        fields: dict[str, Any] = {
            name: DETAILS.get(name) if value is None else value for name, value in cleaned.items()
        }
        del fields["step"]
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
        found |= {"command", "probe", "wall_seconds"}
    if kind in UNDONE:
        found |= {"undo"}
    if kind in ASKING:
        found |= {"url", "wall_seconds"}
    if kind in RETRIED:
        found |= {"retries"}
    return found | _OWN.get(kind, set()) | ({"again"} if kind in AGAIN else set())


# The fields of one kind alone.
_OWN: Final[dict[str, set[str]]] = {
    StepKind.MANUAL: {"instructions"},
    StepKind.MIGRATE: {"structure"},
    StepKind.BACKUP: {"verify"},
    StepKind.HEALTH: {"soak_seconds"},
    StepKind.HTTP: {"method", "statuses", "contains"},
    StepKind.WAIT: {"pause_seconds"},
}


def initial_of(step: PipelineStep | StepSpec) -> dict[str, Any]:
    names = ("command", "undo", "probe", "url", "instructions", "wall_seconds", "again", *DETAILS)
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


FRESH: Final = {"wall_seconds": 0, "again": True, "retries": 0, "soak_seconds": 0, "pause_seconds": 60}


def _typed(row: StepForm, number: int) -> StepForm:
    """The row as it was sent, with nothing checked, under the number of its place."""
    initial = {
        name: field.widget.value_from_datadict(row.data, {}, row.add_prefix(name)) for name, field in row.fields.items()
    }
    return StepForm(row.kind, number, initial=initial)
