"""What people may send to deployments: to ask for one, to let it go on, to stop it and to bring it back."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from deployments import interruptions, rehearsals, steering
from deployments.models import Choice, Deployment, DeploymentState, Environment, Interruption, Service, WaiverKind
from portal.core.access import Role
from tickets import policy
from tickets.fields import Checked, Day, Form, Lines, Versioned, Words
from tickets.rights import projects_with

# As much as a record of a deployment keeps of a reason.
REASON_CHARS: Final = 500


class Placed(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A service or an environment, with the project that it is of."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.project.key} · {obj.name}"


class Commitish(Checked):
    """A commit, a branch or a tag, as git could have it; empty: the target branch."""

    def __init__(self) -> None:
        super().__init__(
            policy.branch_problem,
            limit=200,
            label="What",
            required=False,
            widget=forms.TextInput(attrs={"class": "in mono", "autocapitalize": "off", "spellcheck": "false"}),
            help_text="A commit, a branch or a tag. Empty: the project's target branch, as it is when a worker looks.",
        )


class JudgeForm(Form):
    name = "judge"
    asked = Commitish()


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
    asked = Commitish()

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        mine = projects_with(user, Role.RELEASER).order_by()
        for name, model in (("service", Service), ("environment", Environment)):
            rows = model.objects.filter(project__in=mine).select_related("project")
            self.fields[name].queryset = rows.order_by("project__key", "name")  # type: ignore[attr-defined]

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
    service = Words(limit=60, label="Service", required=False)
    environment = Words(limit=60, label="Environment", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *DeploymentState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state."},
    )
    # of its account, or of the name that it went by
    person = Words(limit=200, label="Who asked for it", required=False)
    # when it was asked for, in UTC
    since = Day("From")
    until = Day("To")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "The last day is before the first.")
        return cleaned


def reason(label: str, *, required: bool = True, rows: int = 2) -> Lines:
    return Lines(
        limit=REASON_CHARS, label=label, required=required, widget=forms.Textarea(attrs={"rows": rows, "class": "in"})
    )


class ApproveForm(Form):
    """A yes to the plan that the page shows; the template writes which that is."""

    name = "approve"
    plan_digest = Words(limit=64, label="Plan", required=False, widget=forms.HiddenInput())
    reason = reason("In a few words", required=False)


class CancelForm(Versioned):
    name = "cancel"
    reason = reason("Why it is not to go")


class StopForm(Form):
    """Ends the step that the page shows as running; the template writes its number."""

    name = "stop"
    step = forms.IntegerField(min_value=1, max_value=2**15 - 1, widget=forms.HiddenInput)
    reason = reason("Why it is stopped")


class EndWaitForm(Form):
    """Ends the pause that the page shows; the template writes the number of its step."""

    name = "end-wait"
    step = forms.IntegerField(min_value=1, max_value=2**15 - 1, widget=forms.HiddenInput)
    reason = reason("Why it is not waited for")


class WaiveForm(Form):
    """Lets migrations go as they are, in the plan that the page shows; the template writes which that is."""

    name = "waive"
    plan_digest = Words(limit=64, label="Plan", required=False, widget=forms.HiddenInput())
    kind = forms.ChoiceField(
        choices=WaiverKind.choices,
        widget=forms.HiddenInput,
        error_messages={"required": "Choose what is waived.", "invalid_choice": "Choose what is waived."},
    )
    reason = reason("Why it may go so")


class RollBackForm(Versioned):
    name = "roll-back"
    reason = reason("Why it goes back")


class TakeForm(Versioned):
    """Has the interruption in hand that the page shows."""

    name = "take"


class AnswerForm(Form):
    """How an interrupted deployment goes on: one of the buttons, and words where the record takes them."""

    name = "answer"
    choice = forms.ChoiceField(
        choices=Choice.choices,
        widget=forms.HiddenInput,
        error_messages={"required": "Choose how it goes on.", "invalid_choice": "Choose how it goes on."},
    )
    reason = reason("Reason", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("choice") in interruptions.REASONED and not cleaned.get("reason", "").strip():
            self.add_error("reason", "Say why: it goes into the record of the deployment.")
        return cleaned


def of_deployment(deployment: Deployment, interruption: Interruption | None) -> dict[str, Form]:
    """The forms of a deployment's page that its state has a use for, by name."""
    state = deployment.state
    found: list[Form] = []
    if state == DeploymentState.WAITING and deployment.environment.approvals_needed:
        found.append(ApproveForm())
    if state == DeploymentState.WAITING and rehearsals.missing(deployment):
        found.append(WaiveForm())
    if state in {DeploymentState.PREPARING, DeploymentState.WAITING, DeploymentState.QUEUED}:
        found.append(CancelForm())
    if state in {DeploymentState.RUNNING, DeploymentState.ROLLING_BACK}:
        found += [StopForm(), *([EndWaitForm()] if steering.pausing(deployment) else [])]
    if state == DeploymentState.SUCCEEDED:
        found.append(RollBackForm())
    if interruption is not None:
        found.append(AnswerForm())
    return {form.name: form for form in found}


class HoldForm(Form):
    name = "hold"
    reason = reason("Why it is held")


class LiftForm(Versioned):
    name = "lift"
    reason = reason("Why it is lifted")
