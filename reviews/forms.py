"""What people may send to reviews and findings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.urls import reverse_lazy

from portal.core import limits
from portal.core.access import Role
from reviews.models import Finding, FindingState, ReviewState, Severity
from reviews.transitions import ANSWERS, FINDING
from tickets.attachments import clean_name
from tickets.fields import Form, Lines, Versioned, Words, number_of, reason
from tickets.forms import ProjectChoice

TICKETS = (("", "With or without ticket"), ("without", "Without a ticket"), ("with", "With a ticket"))


class DocumentForm(Form):
    """A document: a file, or text. ``content`` and ``file_name`` come out."""

    name = "review"
    file = forms.FileField(label="File", required=False, allow_empty_file=True, max_length=None)
    text = Lines(
        limit=200_000_000,
        label="Or paste its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12}),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        most = limits.value("DOCUMENT_MAX_BYTES")
        file = self.fields["file"]
        file.help_text = f"Markdown or other text, at most {most:,} bytes. It is kept as it is."
        # upload.js refuses what is too long before it travels.
        file.widget.attrs["data-most-bytes"] = str(most)

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
        cleaned["file_name"] = clean_name(file.name or "") if file else ""
        return cleaned


class UploadForm(DocumentForm):
    """A document for a series of a project in which the person may upload."""

    series = Words(
        limit=200,
        label="Series",
        help_text="Reviews of one thing, version after version. The next document under this name is its next version.",
        widget=forms.TextInput(attrs={"list": "known-series", "autocomplete": "off"}),
    )

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        project = ProjectChoice(Role.OPERATOR, user)
        # The names that are offered are those of the chosen project.
        project.widget.attrs |= {
            "hx-get": reverse_lazy("review_series"),
            "hx-trigger": "change",
            "hx-target": "#known-series",
        }
        first = {"project": project, "series": self.fields["series"]}
        self.fields = {**first, **self.fields}


def _bounded(size: int) -> None:
    most = limits.value("DOCUMENT_MAX_BYTES")
    if size == 0:
        raise ValidationError("The document is empty: it has 0 bytes.")
    if size > most:
        raise ValidationError(f"At most {most:,} bytes (you sent {size:,}).")


# Lists ------------------------------------------------------------------------------


class ReviewFilter(Form):
    name = "filter"
    project = Words(limit=10, label="Project", required=False)
    state = forms.ChoiceField(
        choices=[("", "Any state"), *ReviewState.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state."},
    )


class FindingFilter(Form):
    """Which findings a list shows. What cannot be read is left out of the filter, and said."""

    name = "filter"
    q = Words(limit=200, label="Words of a title, a reference, or a file", required=False)
    project = Words(limit=10, label="Project", required=False)
    series = Words(limit=200, label="Series", required=False)
    state = forms.ChoiceField(
        choices=[
            ("", "Any state"),
            *(choice for choice in FindingState.choices if choice[0] != FindingState.WITHDRAWN),
        ],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no state of a finding."},
    )
    severity = forms.ChoiceField(
        choices=[("", "Any severity"), *Severity.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no severity."},
    )
    ticket = forms.ChoiceField(
        choices=TICKETS,
        required=False,
        error_messages={"invalid_choice": "Findings are with or without a ticket, not “%(value)s”."},
    )
    review = Words(limit=19, label="Review", required=False)

    def clean_review(self) -> str:
        written = str(self.cleaned_data["review"])
        if written and number_of(written) is None:
            raise ValidationError("A review is named by its number.")
        return written


# Changes of a review -------------------------------------------------------------------


class ApplyForm(Versioned):
    name = "apply"
    document_keys = forms.BooleanField(label="Use the document’s own ticket keys", required=False)


class DiscardForm(Versioned):
    name = "discard"
    reason = reason(required=False)


class RevertForm(Versioned):
    name = "revert"
    reason = reason()


class LeaveOutForm(Versioned):
    """One row of a plan: out of it, or in again."""

    name = "leave"
    left_out = forms.BooleanField(required=False)


class AnswerForm(Versioned):
    """The answer to one finding: fixed, rejected, waived, or open again."""

    name = "answer"
    verb = forms.ChoiceField(
        choices=[(verb, FINDING.transitions[verb].label) for verb in (*ANSWERS, "open_again")],
        error_messages={"required": "Choose what the answer is.", "invalid_choice": "That is no answer to a finding."},
    )
    reason = reason()


# Findings to tickets ----------------------------------------------------------------------


class Chosen(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Findings by their ids. What no row can have never reaches a database, one of which breaks over it."""

    def clean(self, value: Any) -> Any:
        if any(number_of(str(chosen)) is None for chosen in value or []):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().clean(value)


class MakeTicketsForm(Form):
    """The findings that are to become tickets: the chosen ones, or ``all`` open ones of ``here`` without a ticket.

    With a title in ``together`` they become one ticket.
    """

    name = "make"
    all = forms.BooleanField(required=False)
    together = Words(limit="TITLE_MAX_CHARS", label="Title of one ticket for all of them", required=False)
    finding = Chosen(
        Finding.objects.none(), required=False, error_messages={"invalid_choice": "A finding is not of this page."}
    )

    def __init__(self, here: QuerySet[Finding], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.here = here
        self.fields["finding"].queryset = here  # type: ignore[attr-defined]
        # for the next ones that "all" leaves behind the bound
        self.left = 0

    @property
    def chosen(self) -> list[str]:
        """The ids that were sent, for the page that shows them ticked again."""
        return list(self.data.getlist("finding")) if hasattr(self.data, "getlist") else []

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        most = limits.value("MAKE_TICKETS_ROWS")
        if cleaned.get("all"):
            waiting = self.here.filter(state=FindingState.OPEN, ticket=None)
            cleaned["findings"] = list(waiting.order_by("pk")[:most])
            self.left = waiting.count() - len(cleaned["findings"])
        else:
            cleaned["findings"] = list(cleaned.get("finding") or [])
        if not self.errors and not cleaned["findings"] and not cleaned.get("all"):
            raise ValidationError("Select at least one finding.")
        if len(cleaned["findings"]) > most:
            raise ValidationError(f"At most {most:,} findings at once (you chose {len(cleaned['findings']):,}).")
        projects = {found.series.project.key for found in cleaned["findings"]}
        if cleaned.get("together") and len(projects) > 1:
            raise ValidationError(
                f"One ticket is of one project; these findings are of {', '.join(sorted(projects))}. "
                "Choose those of one project, or make one ticket each."
            )
        return cleaned


class MakeListedTicketsForm(MakeTicketsForm):
    """The same on the list of findings, where ``all`` means those that the page showed."""

    shown = Chosen(
        Finding.objects.none(), required=False, error_messages={"invalid_choice": "A finding is not of this page."}
    )

    def __init__(self, here: QuerySet[Finding], *arguments: Any, **options: Any) -> None:
        super().__init__(here, *arguments, **options)
        self.fields["shown"].queryset = here  # type: ignore[attr-defined]

    def clean_shown(self) -> Any:
        shown = self.cleaned_data["shown"]
        self.here = self.here.filter(pk__in=[found.pk for found in shown])
        return shown
