"""What people may send about findings of a list: those picked, all that a filter lets through, a filter to keep."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from portal.core import limits
from reviews import decisions
from reviews.bulk_answers import VERBS, Words
from reviews.forms import PickedForm, TicketsForm
from reviews.models import Decision, SavedFilter
from tickets import fields
from tickets.fields import Form, Lines, reason

CHOOSE: Final = {"required": "Choose what the answer is.", "invalid_choice": "That is no answer to many findings."}


def verb(*, required: bool = True) -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Answer",
        choices=[(name, answer.label) for name, answer in VERBS.items()],
        required=required,
        error_messages=CHOOSE,
    )


class AnswerWords(Form):
    """What many findings are answered with; what an answer does not need is not looked at."""

    verb = verb()
    reason = reason()
    evidence = Lines(
        limit="EVIDENCE_MAX_CHARS",
        label="Evidence",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    until = forms.DateField(label="Until", required=False, error_messages={"invalid": "That is no day: 2026-12-31."})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        answer = VERBS.get(cleaned.get("verb") or "")
        if answer and answer.needs == "evidence" and "evidence" in cleaned:
            self._refuse("evidence", decisions.problem_of_evidence(cleaned["evidence"]))
        if answer and answer.needs == "until" and "until" in cleaned:
            day = cleaned["until"]
            cleaned["until"] = decisions.end_of(day) if day else None
            kind = Decision.Kind.DEFER if cleaned["verb"] == "defer" else Decision.Kind.WAIVE
            self._refuse("until", decisions.problem_of_end(kind, cleaned["until"]))
        return cleaned

    def _refuse(self, name: str, problem: str) -> None:
        if problem:
            self.add_error(name, problem)

    def words(self, by: Any) -> Words:
        said = self.cleaned_data
        needed = VERBS[said["verb"]].needs
        more = {needed: said[needed]} if needed else {}
        return Words(by=by, reason=said["reason"], **more)


class ChosenTicketsForm(PickedForm):
    """Findings of a list, picked to become tickets; the same form answers them, with another button."""

    verb = verb(required=False)
    reason = reason(required=False)
    evidence = Lines(limit="EVIDENCE_MAX_CHARS", label="Evidence", required=False)
    until = forms.DateField(label="Until", required=False)


class ChosenAnswersForm(AnswerWords, PickedForm):
    """Findings of a list, picked to be answered with one reason."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self._bounded(cleaned["findings"], limits.value("BULK_ANSWERS_ROWS"))
        return cleaned


class Expecting(Form):
    """About all findings that a filter lets through; ``expected`` is how many its sender saw."""

    expected = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class AllTicketsForm(TicketsForm, Expecting):
    name = "all-make"


class AllAnswersForm(AnswerWords, Expecting):
    name = "all-answer"


class SavedFilterForm(Form):
    """A name for the filter in the address; a filter of that name becomes this one."""

    name = "save"
    title = fields.Words(limit=80, label="Name of the filter")
    shared = forms.BooleanField(label="Offered to everybody", required=False)
    # the saved filter that it changes; 0 for a new one
    about = 0


class ChangeFilterForm(SavedFilterForm):
    """Another name for a saved filter."""

    name = "saved"

    def __init__(self, saved: SavedFilter, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, auto_id=f"saved-{saved.pk}-%s", **options)
        self.about = saved.pk


class TickForm(Form):
    """An action item: done or not by a person's word."""

    name = "tick"
    done = forms.TypedChoiceField(
        choices=[("yes", "Done"), ("no", "Not done")],
        coerce=lambda said: said == "yes",
        error_messages={"required": "Say whether it is done.", "invalid_choice": "It is done, or it is not."},
    )


class OwnerForm(Form):
    """Who owns an action item: a member of the project by id, or nobody; ``seen`` is who it was when it was asked."""

    name = "owner"
    owner = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1, label="Owner")
    seen = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)


__all__ = [
    "AllAnswersForm",
    "AllTicketsForm",
    "ChangeFilterForm",
    "ChosenAnswersForm",
    "ChosenTicketsForm",
    "OwnerForm",
    "SavedFilterForm",
    "TickForm",
]
