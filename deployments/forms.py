"""What people may send to services, environments and deployments."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from deployments import intake
from deployments.models import DeploymentState, Environment, Service
from portal.core.access import Role
from tickets.fields import Form, Lines, Words
from tickets.rights import projects_with


class Placed(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A service or an environment, with the project that it is of."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.project.key} · {obj.name}"


class NewDeploymentForm(Form):
    name = "deployment"
    service = Placed(
        Service.objects.none(),
        empty_label="Choose a service",
        error_messages={"required": "Choose a service.", "invalid_choice": "Choose a service of the list."},
    )
    environment = Placed(
        Environment.objects.none(),
        empty_label="Choose an environment",
        error_messages={"required": "Choose an environment.", "invalid_choice": "Choose an environment of the list."},
    )
    commit = Words(
        limit=64,
        label="Commit",
        required=False,
        widget=forms.TextInput(attrs={"class": "in mono", "autocapitalize": "off", "spellcheck": "false"}),
        help_text="7 to 64 hexadecimal digits. The command sees it as SHIPROOM_COMMIT. "
        "Without one the command takes what it finds.",
    )

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        mine = projects_with(user, Role.RELEASER).order_by()
        for name, model in (("service", Service), ("environment", Environment)):
            rows = model.objects.filter(project__in=mine).select_related("project")
            self.fields[name].queryset = rows.order_by("project__key", "name")  # type: ignore[attr-defined]

    def clean_commit(self) -> str:
        commit = str(self.cleaned_data["commit"]).lower()
        if commit and not re.fullmatch(r"[0-9a-f]{7,64}", commit, re.ASCII):
            raise ValidationError("A commit is 7 to 64 hexadecimal digits.")
        return commit

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        service, environment = cleaned.get("service"), cleaned.get("environment")
        if service and environment and service.project_id != environment.project_id:
            whose = f"{environment} is of {environment.project.key}, {service} of {service.project.key}."
            self.add_error("environment", f"{whose} Choose two of one project.")
        return cleaned


class DeploymentFilter(Form):
    name = "filter"
    project = Words(limit=10, label="Project", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *DeploymentState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state."},
    )


class Named(Form):
    """Something of a project with a short name."""

    title = Words(
        limit=60,
        label="Name",
        widget=forms.TextInput(attrs={"class": "in short mono", "autofocus": "", "autocapitalize": "off"}),
        help_text="Letters, digits, - and _, such as web.",
    )

    def clean_title(self) -> str:
        title = str(self.cleaned_data["title"])
        if not re.fullmatch(r"[A-Za-z0-9_-]+", title, re.ASCII):
            raise ValidationError("Letters, digits, - and _ only.")
        return title


class ServiceForm(Named):
    name = "service"
    command = Lines(
        limit=20_000,
        label="Command",
        widget=forms.Textarea(attrs={"rows": 5, "class": "in mono", "spellcheck": "false"}),
        help_text='One argument a line, or a JSON list: ["./deploy", "web"]. It runs without a shell.',
    )

    def clean_command(self) -> list[str]:
        try:
            return intake.command(self.cleaned_data["command"])
        except intake.BadCommand as problem:
            raise ValidationError(str(problem)) from None


class EnvironmentForm(Named):
    name = "environment"
