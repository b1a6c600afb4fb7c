"""What people may say of a plan: of its rows, of all that is not spoken of, and when it is applied."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from reviews import decisions, dispositions, holding
from reviews.models import ImportRow
from tickets.fields import Lines, Versioned, Words, number_of

Disposition = ImportRow.Disposition
OF_THE_REST = [(value, Disposition(value).label) for value in holding.OF_THE_REST]


class ApplyForm(Versioned):
    name = "apply"
    document_keys = forms.BooleanField(label="Use the document’s own ticket keys", required=False)
    # nothing is chosen for anybody: silence closes nothing, and says nothing
    rest = forms.ChoiceField(
        label="Not spoken of",
        choices=[("", "Choose"), *OF_THE_REST],
        required=False,
        error_messages={"invalid_choice": "All the rest is not assessed, or still present; not “%(value)s”."},
    )
    closing_meant = forms.BooleanField(label="It is meant to close as many", required=False)


class RestForm(Versioned):
    """The same of every finding of which nothing is said yet."""

    name = "rest"
    disposition = forms.ChoiceField(
        choices=OF_THE_REST,
        error_messages={
            "required": "Choose what is said of all the rest.",
            "invalid_choice": "All the rest is not assessed, or still present; not “%(value)s”.",
        },
    )


class DisposeForm(Versioned):
    """What became of one finding that is not spoken of."""

    name = "dispose"
    disposition = forms.ChoiceField(
        choices=[(value, label) for value, label in Disposition.choices if value],
        error_messages={
            "required": "Choose what became of it.",
            "invalid_choice": "“%(value)s” is nothing that becomes of a finding.",
        },
    )
    reason = Words(limit=dispositions.REASON_CHARS, label="Reason", required=False)
    evidence = Lines(limit="EVIDENCE_MAX_CHARS", label="Evidence", required=False)
    merge_into = Words(limit=19, label="Merged into", required=False)

    def clean_merge_into(self) -> int | None:
        written = str(self.cleaned_data["merge_into"])
        number = number_of(written.removeprefix("#"))
        if written and number is None:
            raise ValidationError("A finding that goes on is named by its number: choose one from the list.")
        return number

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        said = cleaned.get("disposition")
        if said == Disposition.REJECTED and not self.errors:
            if not cleaned.get("reason"):
                self.add_error("reason", "Say why it is rejected: the reason is what the next reader has.")
            if problem := decisions.problem_of_evidence(str(cleaned.get("evidence") or "")):
                self.add_error("evidence", problem)
        if said == Disposition.MERGED and "merge_into" not in self.errors and not cleaned.get("merge_into"):
            self.add_error("merge_into", "Say into which finding of the series it is merged.")
        return cleaned


class ChooseForm(Versioned):
    """Which finding a row is; 0 is a new one."""

    name = "choose"
    finding = Words(limit=19, label="Finding", error_messages={"required": "Choose which finding it is, or a new one."})

    def clean_finding(self) -> int:
        written = str(self.cleaned_data["finding"])
        if written == "0":
            return dispositions.A_NEW_ONE
        number = number_of(written)
        if number is None:
            raise ValidationError("A finding is named by its number.")
        return number
