"""What the history is filtered by, as its address carries it."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from portal.site import chronicle
from tickets.fields import Form, Words

# no history is older, and a day after the last is one, too
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 9000


class Day(Words):
    """A day as 2026-11-28; what comes of it is that text again."""

    def __init__(self, label: str) -> None:
        super().__init__(limit=20, label=label, required=False)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            found = date.fromisoformat(text)
        except ValueError:
            raise ValidationError(f"{self.label} is a day such as 2026-11-28, not “{text}”.") from None
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValidationError(f"{self.label} lies between the years {FIRST_YEAR} and {LAST_YEAR}.")
        return found.isoformat()


class ActivityFilter(Form):
    """Which entries a page shows. What cannot be read is left out of the filter, and said."""

    name = "filter"
    q = Words(limit=200, label="What was done, or a name", required=False)
    project = Words(limit=10, label="Project", required=False)
    actor = Words(limit=200, label="Who", required=False)
    kind = forms.ChoiceField(required=False, error_messages={"invalid_choice": "“%(value)s” is no kind of thing."})
    since = Day("From")
    until = Day("To")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        choices = [(kind, kind.replace("_", " ").capitalize()) for kind in chronicle.kinds()]
        self.fields["kind"].choices = [("", "Any kind"), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "The last day is before the first.")
        return cleaned
