"""Environments: where services go, and what it takes to get there."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db import IntegrityError
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from deployments import holds, places, soaking
from deployments.admin.asking import Explained
from deployments.fields import VariableLines
from deployments.models import Environment, Hold, HoldState
from portal.core.adminsite import Admin, SeenVersion
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused

SETTINGS: Final = (
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


class EnvironmentForm(SeenVersion):
    variables = VariableLines(
        label="Variables",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="NAME=value, one a line: commands get them, addresses of health may name them as {NAME}. Everybody"
        " in the project sees them: no place for secrets.",
    )

    class Meta:
        model = Environment
        fields = ("project", "name", *SETTINGS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["variables"].show_hidden_initial = True
        if self.instance.pk:
            own = Environment.objects.filter(project=self.instance.project_id).exclude(pk=self.instance.pk)
            self.fields["follows"].queryset = own.order_by("place", "name")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        project, name = self.cleaned_data.get("project"), self.cleaned_data.get("name")
        taken = Environment.objects.filter(project=project, name=name)
        if not self.instance.pk and project and name and taken.exists():
            self.add_error("name", f"{project.key} has an environment {name} already.")
        of = self.instance.project if self.instance.pk else project
        if of and (problem := soaking.problem_of(self.instance if self.instance.pk else None, of, self._follows())):
            self.add_error("follows", problem)
        return super().clean()

    def _follows(self) -> Environment | None:
        found: Environment | None = self.cleaned_data.get("follows")
        return found


def held_by(environment: Environment) -> Hold | None:
    return Hold.objects.filter(environment=environment, state=HoldState.HOLDING).first()


def hold(environment: Environment, asked: dict[str, Any], request: HttpRequest) -> str:
    made = holds.hold_environment(environment, reason=asked["reason"])
    return f"{environment} is held: {made.reason}"


@admin.register(Environment)
class EnvironmentPage(Admin):
    form = EnvironmentForm
    list_display = ("name", "project", "place", "approvals_needed", "on_failure", "wait_hours")
    list_filter = ("project", "on_failure")
    list_select_related = ("project",)
    search_fields = ("name", "project__key")
    ordering = ("project", "place", "name")
    deeds = (Deed("hold", "Hold", Explained, hold, lambda row: held_by(row) is None, danger=True),)

    def standing(self, row: Environment) -> str:
        found = held_by(row)
        return f"It is held: {found.reason} ({found.by}). The hold is lifted under Holds." if found else ""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = ("project", "name", *(("version", "history") if obj else ()), "seen")
        return ((None, {"fields": own}), ("What it takes to get there", {"fields": SETTINGS}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Evidence names it: it stays what it is called."""
        own = super().get_readonly_fields(request, obj)
        return ("project", "name", "version", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Environment, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        settings = {name: typed[name] for name in SETTINGS if name in typed}
        if change:
            changed = {name: value for name, value in settings.items() if name in form.changed_data}
            # The row in hand already has what was typed.
            stored = Environment.objects.select_related("project").get(pk=obj.pk)
            places.change_environment(stored, expected_version=typed["seen"], **changed)
            return
        try:
            made = places.add_environment(typed["project"], name=typed["name"], **settings)
        except IntegrityError:
            raise Refused(f"{typed['project'].key} has an environment {typed['name']} already.") from None
        obj.__dict__.update(made.__dict__)
