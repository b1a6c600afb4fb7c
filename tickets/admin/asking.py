"""What the deeds of tickets ask for, in the admin's controls."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from tickets.fields import Form, Lines, Versioned, Words
from tickets.queries import assignable
from workers.models import Agent


def why(*, required: bool) -> Lines:
    return Lines(
        limit=2000,
        label="Reason",
        required=required,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is what the next reader has."},
    )


class Button(Form):
    """A button alone, of a row that has no version."""


class Explained(Form):
    """A reason, of a row that has no version."""

    reason = why(required=True)


class Nothing(Versioned):
    """A button alone, of a row as it was seen."""


class Why(Versioned):
    reason = why(required=True)


class MaybeWhy(Versioned):
    reason = why(required=False)


class Message(Form):
    """``idempotency_key`` is this showing of the form: sent twice, it is one message."""

    body = Lines(limit="MESSAGE_MAX_CHARS", label="Message", widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}))
    internal = forms.BooleanField(
        required=False,
        label="Internal note",
        widget=UnfoldBooleanSwitchWidget,
        help_text="For people only: no agent is given it.",
    )
    idempotency_key = Words(limit=64, label="Key", required=False, widget=forms.HiddenInput, initial=token_urlsafe)


class File(Form):
    file = forms.FileField(label="File", allow_empty_file=True, max_length=None, widget=UnfoldAdminFileFieldWidget)


class HandBack(Versioned):
    agent = forms.ModelChoiceField(
        Agent.objects.none(), label="Agent", required=False, empty_label="No agent yet", widget=UnfoldAdminSelectWidget
    )
    message = Lines(
        limit="MESSAGE_MAX_CHARS",
        label="What it should know",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["agent"].queryset = assignable()  # type: ignore[attr-defined]


class Assign(Versioned):
    agent = forms.ModelChoiceField(
        Agent.objects.none(), label="Agent", empty_label="Choose an agent", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["agent"].queryset = assignable()  # type: ignore[attr-defined]
