"""What the deeds of deployments ask for, in the admin's controls."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from deployments import dependencies, interruptions, overriding, rehearsals, steering, step_jobs
from deployments.dependency_fields import NeedWords
from deployments.forms import REASON_CHARS
from deployments.models import Choice, Deployment, Interruption, Phase, Service, WaiverKind
from tickets.fields import Form, Lines, Versioned, Words

STEPS_SHOWN = 50


def why(*, required: bool, label: str = "Reason") -> Lines:
    return Lines(
        limit=REASON_CHARS,
        label=label,
        required=required,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is what the next reader has."},
    )


class Why(Versioned):
    reason = why(required=True)


class Take(Versioned):
    """``expected_version`` pins who had it: somebody else may have taken it meanwhile."""


class Explained(Form):
    """A reason, of a row that has no version."""

    reason = why(required=True)


class MaybeExplained(Form):
    reason = why(required=False)


class Button(Form):
    """A button alone: whatever has changed since, it does no harm."""


class Stop(Form):
    """``step`` pins what is stopped: the next one may have begun meanwhile."""

    step = forms.IntegerField(min_value=1, max_value=2**15 - 1, widget=forms.HiddenInput)
    reason = why(required=True)


def fit_stop(form: Any, row: Deployment) -> None:
    job = step_jobs.live(row)
    form.fields["step"].initial = job.payload["step"] if job else None


def fit_end_wait(form: Any, row: Deployment) -> None:
    step = steering.pausing(row)
    form.fields["step"].initial = step.n if step else None


class Approve(Form):
    """``plan_digest`` is of the plan that stands above the reason: another one is not approved by it."""

    plan_digest = Words(limit=64, label="Plan", required=False, widget=forms.HiddenInput)
    reason = why(required=False, label="What was looked at")


def fit_approval(form: Any, row: Deployment) -> None:
    form.fields["plan_digest"].initial = row.plan_digest
    form.fields["reason"].help_text = plan_of(row)


class Override(Approve):
    """``plan_digest`` is of the plan that stands above the reason, as with an approval."""

    freeze = forms.TypedChoiceField(
        label="Freeze",
        coerce=int,
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "This freeze does not keep it, or not any more."},
    )
    reason = why(required=True, label="Why it cannot wait")
    field_order = ("plan_digest", "freeze", "reason")


def fit_override(form: Any, row: Deployment) -> None:
    fit_approval(form, row)
    form.fields["freeze"].choices = [
        (found.pk, f"{found}: {found.reason}"[:120]) for found in overriding.to_override(row)
    ]


class Needs(Versioned):
    needs = NeedWords(widget=UnfoldAdminTextInputWidget)


def fit_needs(form: Any, row: Service) -> None:
    form.fields["needs"].initial = dependencies.of(row)


def plan_of(row: Deployment) -> str:
    """What goes where, over what, and by which steps, in one paragraph a part."""
    release = f"{row.release} ({row.release.short or 'no commit'})" if row.release else "nothing yet"
    over = f"{row.previous} ({row.previous.short})" if row.previous else "nothing known"
    steps = row.steps.filter(phase=Phase.FORWARD).order_by("n").values_list("n", "name", "kind")[:STEPS_SHOWN]
    said = format_html_join("", "<br>{}. <bdi>{}</bdi> ({})", steps)
    return format_html("{} to {}, in place of {}:{}", release, row.environment, over, said)


class Waive(Form):
    """``plan_digest`` as with ``Approve``: what is waived is the plan that stands there."""

    plan_digest = Words(limit=64, label="Plan", required=False, widget=forms.HiddenInput)
    kind = forms.ChoiceField(
        label="What may go as it is",
        choices=[("", "Choose"), *WaiverKind.choices],
        widget=UnfoldAdminSelectWidget,
        error_messages={"required": "Choose what is waived.", "invalid_choice": "Choose one that is missing here."},
    )
    reason = why(required=True)


def fit_waiver(form: Any, row: Deployment) -> None:
    found = [(str(kind), str(kind.label)) for kind in rehearsals.missing(row)]
    form.fields["plan_digest"].initial = row.plan_digest
    form.fields["kind"].choices = [("", "Choose"), *found]
    form.fields["kind"].help_text = format_html_join("", "{}. ", ((one.detail,) for one in rehearsals.asked(row)))


class Answer(Form):
    """``interruption`` pins what is answered: an answer to one answers no other."""

    interruption = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    choice = forms.ChoiceField(
        label="How it goes on",
        choices=[("", "Choose"), *Choice.choices],
        widget=UnfoldAdminSelectWidget,
        error_messages={
            "required": "Choose how it goes on.",
            "invalid_choice": "Choose one of the answers to this interruption.",
        },
    )
    reason = why(required=False)


def asked_of(form: Any, row: Deployment | Interruption) -> Interruption | None:
    """The interruption that the form shows, or was sent for."""
    if isinstance(row, Interruption):
        return row
    sent = str(form.data.get("interruption", "")) if form.is_bound else ""
    if not sent:
        return interruptions.open_of(row)
    number = int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 19 else 0
    return Interruption.objects.select_related("step", "deployment").filter(deployment=row, pk=number).first()


def fit_answer(form: Any, row: Deployment | Interruption) -> None:
    """The form of the row's own interruption, with what it is about."""
    found = asked_of(form, row)
    if found is None:
        return
    form.fields["interruption"].initial = found.pk
    choices = [(str(choice), str(choice.label)) for choice in interruptions.choices_of(found)]
    form.fields["choice"].choices = [("", "Choose"), *choices]
    said = found.detail or found.step.instructions
    form.fields["choice"].help_text = format_html(
        '<div class="as-written"><bdi>{}: {}</bdi></div>', found.step.name, said
    )
