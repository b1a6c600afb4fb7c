"""What people may send to reviews and findings."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from portal.core import limits
from portal.core.access import Role
from reviews.models import Finding, Review, ReviewState
from reviews.transitions import ANSWERS, FINDING
from tickets.fields import Form, Lines, Versioned, Words, number_of, reason
from tickets.forms import ProjectChoice


class UploadForm(Form):
    """A document: a file, or text. ``content`` and ``file_name`` come out."""

    name = "review"
    series = Words(
        limit=200,
        label="Series",
        help_text="Reviews of one thing, version after version. The next document under this name is its next version.",
    )
    file = forms.FileField(label="File", required=False, allow_empty_file=True, max_length=None)
    text = Lines(
        limit=200_000_000,
        label="Or paste its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12}),
    )

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields = {"project": ProjectChoice(Role.OPERATOR, user), **self.fields}
        self.fields[
            "file"
        ].help_text = (
            f"Markdown or other text, at most {limits.value('DOCUMENT_MAX_BYTES'):,} bytes. It is kept as it is."
        )

    def clean_file(self) -> UploadedFile[Any] | None:
        file: UploadedFile[Any] | None = self.cleaned_data.get("file")
        if file is None:
            return None
        _bounded(file.size or 0)
        return file

    def clean_text(self) -> bytes:
        content = str(self.cleaned_data.get("text") or "").encode()
        if content:
            _bounded(len(content))
        return content

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        file, text = cleaned.get("file"), cleaned.get("text")
        if file and text and text.strip():
            raise ValidationError("Send a file or text, not both: choose which of them is the document.")
        if not file and not (text and text.strip()):
            raise ValidationError("Choose a file, or paste the text of the document.")
        cleaned["content"] = file.read() if file else text
        cleaned["file_name"] = _clean_name(file.name or "") if file else ""
        return cleaned


def _bounded(size: int) -> None:
    most = limits.value("DOCUMENT_MAX_BYTES")
    if size == 0:
        raise ValidationError("The document is empty: it has 0 bytes.")
    if size > most:
        raise ValidationError(f"At most {most:,} bytes (you sent {size:,}).")


def _clean_name(name: str) -> str:
    """A name for people to read: no folder, no control character. Nothing is ever stored under it."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if unicodedata.category(letter) not in {"Cc", "Cs"})[:200]


class ReviewFilter(Form):
    name = "filter"
    project = Words(limit=10, label="Project", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *ReviewState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state."},
    )


class ApplyForm(Versioned):
    name = "apply"


class AnswerForm(Versioned):
    """The answer to one finding: fixed, rejected, waived, or open again."""

    name = "answer"
    verb = forms.ChoiceField(
        choices=[(verb, FINDING.transitions[verb].label) for verb in (*ANSWERS, "open_again")],
        error_messages={"required": "Choose what the answer is.", "invalid_choice": "That is no answer to a finding."},
    )
    reason = reason()


class Chosen(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Findings by their ids. What no row can have never reaches a database, one of which breaks over it."""

    def clean(self, value: Any) -> Any:
        if any(number_of(str(chosen)) is None for chosen in value or []):
            raise ValidationError("A finding is not of this review.")
        return super().clean(value)


class MakeTicketsForm(Form):
    """The findings of a review that are to become tickets: the chosen ones, or all open ones without a ticket."""

    name = "make"
    all = forms.BooleanField(required=False)
    finding = Chosen(
        Finding.objects.none(), required=False, error_messages={"invalid_choice": "A finding is not of this review."}
    )

    def __init__(self, review: Review, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.here = Finding.objects.filter(occurrences__review=review)
        self.fields["finding"].queryset = self.here  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("all"):
            cleaned["findings"] = list(self.here.filter(state="open", ticket=None).order_by("pk"))
        elif not self.errors and not cleaned.get("finding"):
            raise ValidationError("Select at least one finding.")
        else:
            cleaned["findings"] = list(cleaned.get("finding") or [])
        return cleaned
