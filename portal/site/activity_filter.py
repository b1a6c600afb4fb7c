"""What the history is filtered by, as its address carries it."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.site import chronicle
from tickets.fields import Day, Form, Words


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
