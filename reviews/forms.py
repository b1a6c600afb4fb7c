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
from reviews import mappings, standing
from reviews.importing import BadInput
from reviews.models import Finding, FindingState, ReviewState, Severity
from tickets.attachments import clean_name
from tickets.fields import Form, Lines, Versioned, Words, number_of, reason
from tickets.forms import ProjectChoice

TICKETS = (("", "With or without ticket"), ("without", "Without a ticket"), ("with", "With a ticket"))
STANDINGS = (("", "Any standing"), *((word, word.capitalize()) for word in standing.WORDS))
AGES = (
    ("", "Any age"),
    ("1d", "Found within a day"),
    ("7d", "Found within 7 days"),
    ("30d", "Found within 30 days"),
    ("over-7d", "Older than 7 days"),
    ("over-30d", "Older than 30 days"),
    ("over-90d", "Older than 90 days"),
)
BY = (
    ("", "One ticket each"),
    ("file", "One for each file"),
    ("rule", "One for each rule"),
    ("title", "One for each title"),
)


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
    columns = Lines(
        limit=20_000,
        label="Columns",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "in mono", "spellcheck": "false"}),
        help_text=(
            "Of a table or JSON whose columns are not known by their names, one a line: title = Summary,"
            " severity: blocker = critical, items = results. The series keeps it; - takes it back."
        ),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        most = limits.value("DOCUMENT_MAX_BYTES")
        file = self.fields["file"]
        file.help_text = f"Markdown, text, HTML, SARIF, JSON or CSV, at most {most:,} bytes. It is kept as it is."
        # upload.js refuses what is too long before it travels.
        file.widget.attrs["data-most-bytes"] = str(most)

    def clean_file(self) -> UploadedFile[Any] | None:
        file: UploadedFile[Any] | None = self.cleaned_data.get("file")
        if file is None:
            return None
        _bounded(file.size or 0, "DOCUMENT_MAX_BYTES")
        return file

    def clean_text(self) -> bytes:
        content = str(self.cleaned_data.get("text") or "").encode()
        if content:
            _bounded(len(content), "DOCUMENT_TEXT_MAX_BYTES")
        return content

    def clean_columns(self) -> dict[str, Any] | None:
        """A mapping; None where nothing was typed, and the series keeps the one that it has."""
        typed = str(self.cleaned_data.get("columns") or "")
        if not typed.strip():
            return None
        try:
            return mappings.read(typed)
        except BadInput as refusal:
            raise ValidationError(refusal.message) from None

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


def _bounded(size: int, limit: str) -> None:
    most = limits.value(limit)
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
    category = Words(limit=100, label="Category", required=False)
    rule = Words(limit=200, label="Rule", required=False)
    standing = forms.ChoiceField(
        choices=STANDINGS,
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no standing of a finding."},
    )
    age = forms.ChoiceField(
        choices=AGES,
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no age that is asked for here."},
    )

    def clean_review(self) -> str:
        written = str(self.cleaned_data["review"])
        if written and number_of(written) is None:
            raise ValidationError("A review is named by its number.")
        return written


# Changes of a review -------------------------------------------------------------------


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


# Findings to tickets ----------------------------------------------------------------------


class Chosen(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Findings by their ids. What no row can have never reaches a database, one of which breaks over it."""

    def clean(self, value: Any) -> Any:
        if any(number_of(str(chosen)) is None for chosen in value or []):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().clean(value)


class TicketsForm(Form):
    """How many tickets: one each, one for each group, or one titled ``together`` for all of them."""

    name = "make"
    by = forms.ChoiceField(
        label="Tickets",
        choices=BY,
        required=False,
        error_messages={"invalid_choice": "Findings are grouped by file, rule or title, not by “%(value)s”."},
    )
    together = Words(limit="TITLE_MAX_CHARS", label="Title of one ticket for all of them", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("by") and cleaned.get("together"):
            raise ValidationError("One ticket for all of them has no groups: choose “One ticket each”, or no title.")
        return cleaned


class PickedForm(TicketsForm):
    """Findings of ``here`` that somebody ticked."""

    finding = Chosen(
        Finding.objects.none(), required=False, error_messages={"invalid_choice": "A finding is not of this page."}
    )

    def __init__(self, here: QuerySet[Finding], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.here = here
        self.fields["finding"].queryset = here  # type: ignore[attr-defined]

    @property
    def chosen(self) -> list[str]:
        """The ids that were sent, for the page that shows them ticked again."""
        return list(self.data.getlist("finding")) if hasattr(self.data, "getlist") else []

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        cleaned["findings"] = self.picked(cleaned)
        self._bounded(cleaned["findings"], limits.value("MAKE_TICKETS_ROWS"))
        projects = {found.series.project.key for found in cleaned["findings"]}
        if cleaned.get("together") and len(projects) > 1:
            raise ValidationError(
                f"One ticket is of one project; these findings are of {', '.join(sorted(projects))}. "
                "Choose those of one project, or make one ticket each."
            )
        return cleaned

    def picked(self, cleaned: dict[str, Any]) -> list[Finding]:
        found = list(cleaned.get("finding") or [])
        if not self.errors and not found:
            raise ValidationError("Select at least one finding.")
        return found

    def _bounded(self, findings: list[Finding], most: int) -> None:
        if len(findings) > most:
            raise ValidationError(f"At most {most:,} findings at once (you chose {len(findings):,}).")


class MakeTicketsForm(PickedForm):
    """The findings of a review that are to become tickets: those picked, or ``all`` open ones without a ticket."""

    all = forms.BooleanField(required=False)

    def __init__(self, here: QuerySet[Finding], *arguments: Any, **options: Any) -> None:
        super().__init__(here, *arguments, **options)
        # for the next ones that "all" leaves behind the bound
        self.left = 0

    def picked(self, cleaned: dict[str, Any]) -> list[Finding]:
        if not cleaned.get("all"):
            return super().picked(cleaned)
        waiting = self.here.filter(state=FindingState.OPEN, ticket=None)
        found = list(waiting.order_by("pk")[: limits.value("MAKE_TICKETS_ROWS")])
        self.left = waiting.count() - len(found)
        return found
