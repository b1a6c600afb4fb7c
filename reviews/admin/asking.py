"""What the deeds of reviews ask for beyond a reason."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldBooleanSwitchWidget

from tickets.fields import Versioned


class Apply(Versioned):
    document_keys = forms.BooleanField(
        required=False,
        initial=True,
        label="Use the document's own ticket keys",
        widget=UnfoldBooleanSwitchWidget,
        help_text="As the plan says for each row. Without it, tickets take the project's next numbers.",
    )
