"""What people may send about decisions: the answer to a finding, a second person's yes or no, an end; and filters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from reviews import decisions
from reviews.models import Decision, DecisionState
from reviews.transitions import ANSWERS, FINDING
from tickets.fields import Form, Lines, Versioned, Words, number_of, reason

STATES: Final = (
    ("", "Any state"),
    ("standing", "Waiting or in force"),
    ("soon", "Ending soon"),
    *DecisionState.choices,
)


class Until(forms.DateField):
    """A day; what comes of it is its last second."""

    def __init__(self, **options: Any) -> None:
        errors = {"invalid": "Write the day as 2026-12-31.", "required": "Say until when."}
        options.setdefault("widget", forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
        super().__init__(input_formats=["%Y-%m-%d"], error_messages=errors, **options)

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        return decisions.end_of(day) if day else None


def evidence(**options: Any) -> Lines:
    return Lines(limit="EVIDENCE_MAX_CHARS", label="Evidence", required=False, **options)


class DecisionFields(Versioned):
    """The fields that decisions take beyond a reason, checked by what ``kind`` takes."""

    def problems(self, kind: str, cleaned: dict[str, Any]) -> None:
        if kind == Decision.Kind.REJECT and "evidence" not in self.errors:
            self._say("evidence", decisions.problem_of_evidence(cleaned.get("evidence") or ""))
        if kind in {Decision.Kind.WAIVE, Decision.Kind.DEFER} and "until" not in self.errors:
            self._say("until", decisions.problem_of_end(kind, cleaned.get("until")))

    def _say(self, name: str, problem: str) -> None:
        if problem:
            self.add_error(name, problem)


class AnswerForm(DecisionFields):
    """The answer to one finding: fixed, rejected, waived, deferred, or open again.

    ``scopes`` are the places of its project in which alone it may be waived.
    """

    name = "answer"
    verb = forms.ChoiceField(
        choices=[(verb, FINDING.transitions[verb].label) for verb in (*ANSWERS, "open_again")],
        error_messages={"required": "Choose what the answer is.", "invalid_choice": "That is no answer to a finding."},
    )
    reason = reason()
    evidence = evidence()
    until = Until(label="Until", required=False)
    scope = forms.ChoiceField(
        label="Where",
        required=False,
        error_messages={"invalid_choice": "The project has no environment “%(value)s”."},
    )

    def __init__(self, scopes: Iterable[str], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["scope"].choices = [("", "Everywhere"), *((name, name) for name in scopes)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.problems(str(cleaned.get("verb") or ""), cleaned)
        return cleaned


class FromReview(Versioned):
    """``review`` is the page from which it was sent, where it was one of a review."""

    review = Words(limit=19, label="Review", required=False, widget=forms.HiddenInput)

    def clean_review(self) -> int:
        return number_of(self.cleaned_data["review"]) or 0


class GiveForm(FromReview):
    name = "give"


class RefuseForm(FromReview):
    name = "refuse"
    reason = reason()


class EndForm(FromReview):
    name = "end"
    reason = reason()


class DecisionFilter(Form):
    """Which decisions a list shows. What cannot be read is left out of the filter, and said."""

    name = "filter"
    q = Words(limit=200, label="Words of a finding, a reason or a place", required=False)
    project = Words(limit=10, label="Project", required=False)
    kind = forms.ChoiceField(
        choices=[("", "Any kind"), *Decision.Kind.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no kind of decision."},
    )
    state = forms.ChoiceField(
        choices=STATES,
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state of a decision."},
    )
    finding = Words(limit=19, label="Finding", required=False)
    decision = Words(limit=19, label="Decision", required=False)

    def clean_finding(self) -> str:
        return _number(str(self.cleaned_data["finding"]), "finding")

    def clean_decision(self) -> str:
        return _number(str(self.cleaned_data["decision"]), "decision")


def _number(written: str, thing: str) -> str:
    if written and number_of(written) is None:
        raise ValidationError(f"A {thing} is named by its number.")
    return written
