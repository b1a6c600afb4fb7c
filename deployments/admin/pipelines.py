"""Services, each with its pipeline: written together, in one call."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import IntegrityError
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from deployments import dependencies, intake, places
from deployments.admin import asking
from deployments.fields import COMMAND_HELP, CommandLines, StatusWords
from deployments.intake import BadStep, StepSpec
from deployments.models import Method, PipelineStep, Service, StepKind
from portal.core import limits
from portal.core.adminsite import Admin, EditableBlocks, SeenVersion, WholeRows
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from tickets.fields import Lines, Words

LAST: Final = 9999
WHOLE: Final = ("wall_seconds", "pause_seconds", "soak_seconds", "retries")
# set in a row that is empty, too
UNWRITTEN: Final = {"kind", "again", "method", *WHOLE}
SPEC: Final = (
    "kind",
    "name",
    "command",
    "undo",
    "probe",
    "url",
    "instructions",
    "wall_seconds",
    "again",
    *intake.DETAILS,
)


def commands(label: str, help_text: str) -> CommandLines:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"})
    return CommandLines(label=label, help_text=help_text, widget=widget)


def seconds(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        initial=0,
        min_value=0,
        max_value=2**31 - 1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=help_text,
    )


class StepForm(forms.ModelForm):  # type: ignore[type-arg]
    """One step as it is typed; ``spec`` is what came of it, None for a row that is empty or taken out."""

    spec: StepSpec | None = None
    n = forms.IntegerField(
        label="Place",
        required=False,
        min_value=1,
        max_value=LAST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Steps run in this order. Empty: after the others.",
    )
    kind = forms.ChoiceField(choices=StepKind.choices, initial=StepKind.COMMAND, widget=UnfoldAdminSelectWidget)
    name = Words(limit=60, label="Name", widget=UnfoldAdminTextInputWidget)
    command = commands("Command", f"Of what runs one. {COMMAND_HELP}")
    undo = commands("Undo", "Brings back what the step changed. It may run more than once.")
    probe = commands("Probe", "Exit code 0 says that the step is done: asked where a worker was lost in it.")
    verify = commands("Rehearse the restore", "Of backup: run right after. Where it fails, the step fails.")
    structure = commands("Print the structure", "Of migrate: prints the database’s structure, before and after.")
    url = Words(
        limit=300,
        label="Address",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Of health and HTTP check, such as http://127.0.0.1:{PORT}/health; {PORT} is the environment’s.",
    )
    instructions = Lines(
        limit=2000,
        label="Instructions",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Of manual: what a person is to do.",
    )
    wall_seconds = forms.IntegerField(
        label="Seconds",
        required=False,
        initial=0,
        min_value=0,
        validators=[MaxValueValidator(86_400)],
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="It is ended after this. 0: the installation's own limit.",
    )
    method = forms.ChoiceField(
        label="Asked by", choices=[("", "As usual"), *Method.choices], required=False, widget=UnfoldAdminSelectWidget
    )
    statuses = StatusWords(widget=UnfoldAdminTextInputWidget)
    contains = Words(
        limit=intake.CONTAINS_CHARS,
        label="Text that is in it",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Of HTTP check: looked for in its first 64 KiB.",
    )
    pause_seconds = seconds("Pause", "Of wait, in seconds. It holds no worker.")
    soak_seconds = seconds("Right for", "Of health, in seconds. A wrong answer begins it anew.")
    retries = seconds("More goes", "By itself after its own failure; of migrate only with a probe.")
    again = forms.BooleanField(
        label="Again on the way back",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Going back to a release runs it again; never migrate and manual.",
    )
    taken_out = forms.BooleanField(label="Take this step out", required=False, widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = PipelineStep
        fields = ("n", *SPEC)

    def has_changed(self) -> bool:
        """A row in which nothing was written is none, whatever its lists and switches show."""
        return bool(set(self.changed_data) - UNWRITTEN)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("taken_out"):
            self.errors.clear()
        elif not self.errors:
            try:
                typed = {name: cleaned[name] for name in SPEC}
                self.spec = StepSpec(**typed | {name: typed[name] or 0 for name in WHOLE})
            except BadStep as problem:
                self.add_error(problem.field or None, str(problem))
        return cleaned

    def _post_clean(self) -> None:
        """No row is compared with a stored one: all of them take their place in one call."""


class Pipeline(WholeRows):
    """``specs`` are the steps in their order."""

    specs: ClassVar[list[StepSpec]] = []

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        rows = [form for form in self.forms if form.spec is not None]
        # sorting keeps the order of the page where a place is given twice, or not at all
        rows.sort(key=lambda form: form.cleaned_data.get("n") or LAST + 1)
        try:
            self.specs = intake.pipeline([form.spec for form in rows])  # type: ignore[misc]
        except BadStep as problem:
            raise ValidationError(str(problem)) from None


class Steps(EditableBlocks):
    model = PipelineStep
    form = StepForm
    formset = Pipeline
    verbose_name = "step"
    verbose_name_plural = "pipeline"
    fields = (
        "name",
        ("n", "kind"),
        "command",
        ("undo", "probe"),
        ("verify", "structure"),
        "url",
        ("method", "statuses", "contains"),
        "instructions",
        ("pause_seconds", "soak_seconds"),
        ("wall_seconds", "retries", "again"),
    )
    ordering = ("n",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = (*self.fields, "taken_out") if obj else self.fields
        return ((None, {"fields": own}),)

    def get_max_num(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return limits.value("PIPELINE_STEPS")


class ServiceForm(SeenVersion):
    class Meta:
        model = Service
        fields = ("project", "name")

    def clean(self) -> dict[str, Any] | None:
        project, name = self.cleaned_data.get("project"), self.cleaned_data.get("name")
        if not self.instance.pk and project and name and Service.objects.filter(project=project, name=name).exists():
            self.add_error("name", f"{project.key} has a service {name} already.")
        return super().clean()

    def _show_both(self) -> None:
        """The steps that were typed stay; those that are stored are named."""
        super()._show_both()
        stored = self.instance.pipeline.order_by("n").values_list("n", "name", "kind")
        said = "; ".join(f"{n}. {name} ({kind})" for n, name, kind in stored)
        self.add_error(None, f"Now its steps are: {said or 'none'}.")


def set_needs(service: Service, asked: dict[str, Any], request: HttpRequest) -> str:
    dependencies.change(service, expected_version=asked["expected_version"], needs=asked["needs"])
    return f"{service} needs: {dependencies.written(asked['needs']) or 'no other service'}."


@admin.register(Service)
class ServicePage(Admin):
    form = ServiceForm
    inlines = (Steps,)
    list_display = ("name", "project", "version")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__key")
    deeds = (Deed("needs", "Say what it needs", asking.Needs, set_needs, lambda service: True, fit=asking.fit_needs),)

    def standing(self, row: Service) -> str:
        found = dependencies.written(dependencies.of(row))
        return f"Where it goes there have to stand: {found}." if found else ""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("project", "name", "version", "history", "seen") if obj else ("project", "name", "seen")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Releases and evidence name it: it stays what it is called."""
        own = super().get_readonly_fields(request, obj)
        return ("project", "name", "version", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        """A service and its pipeline are one thing: ``save_related`` writes it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        (pipeline,) = formsets
        if change:
            stored = Service.objects.select_related("project").get(pk=form.instance.pk)
            if [spec.columns() for spec in pipeline.specs] != list(stored.pipeline.order_by("n").values(*SPEC)):
                places.change_pipeline(stored, expected_version=form.cleaned_data["seen"], steps=pipeline.specs)
            return
        project, name = form.cleaned_data["project"], form.cleaned_data["name"]
        try:
            made = places.add_service(project, name=name, steps=pipeline.specs)
        except IntegrityError:
            raise Refused(f"{project.key} has a service {name} already.") from None
        form.instance.__dict__.update(made.__dict__)
