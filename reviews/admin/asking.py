"""What the deeds of reviews ask for beyond a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from reviews import decisions, scopes
from reviews.decision_forms import Until
from reviews.models import Decision, Finding
from reviews.plan_forms import OF_THE_REST
from tickets.admin.asking import Why
from tickets.fields import Lines, Versioned


class Apply(Versioned):
    rest = forms.ChoiceField(
        required=False,
        label="Open findings that nobody has spoken of",
        choices=[("", "There are none, or they stop it"), *OF_THE_REST],
        widget=UnfoldAdminSelectWidget,
        help_text="Silence closes nothing: those of which neither the document nor anybody says anything stay open.",
    )
    closing_meant = forms.BooleanField(
        required=False,
        label="It is meant to close as many",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Asked for where the plan closes a large share of the open findings of its series.",
    )
    document_keys = forms.BooleanField(
        required=False,
        initial=True,
        label="Use the document's own ticket keys",
        widget=UnfoldBooleanSwitchWidget,
        help_text="As the plan says for each row. Without it, tickets take the project's next numbers.",
    )


class Reject(Why):
    evidence = Lines(
        limit="EVIDENCE_MAX_CHARS",
        label="Evidence",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="A link, a commit, a place in the code, a command and what it said, or an explanation.",
    )

    def clean_evidence(self) -> str:
        said = str(self.cleaned_data["evidence"])
        if problem := decisions.problem_of_evidence(said):
            raise ValidationError(problem)
        return said


class Defer(Why):
    kind: Decision.Kind = Decision.Kind.DEFER
    until = Until(label="Until", widget=UnfoldAdminDateWidget(format="%Y-%m-%d"))

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if problem := decisions.problem_of_end(self.kind, until):
            raise ValidationError(problem)
        return until


class Waive(Defer):
    kind = Decision.Kind.WAIVE
    scope = forms.ChoiceField(label="Where", required=False, widget=UnfoldAdminSelectWidget)


def of_project(form: Any, finding: Finding) -> None:
    """A finding may be waived everywhere, or in a place of its project."""
    names = scopes.of(finding.series.project)
    form.fields["scope"].choices = [("", "Everywhere"), *((name, name) for name in names)]
