"""Forms about a check that a document names."""

from __future__ import annotations

from django import forms

from tickets import policy
from tickets.fields import Checked, Form


class AllowForm(Form):
    """Allow a command or take that back; ``command`` is the text that was shown."""

    name = "allow"
    command = forms.CharField(max_length=300, strip=False, widget=forms.HiddenInput)
    allowed = forms.TypedChoiceField(
        choices=[("yes", "Allowed"), ("no", "Not allowed")],
        coerce=lambda said: said == "yes",
        error_messages={
            "required": "Say whether it is allowed.",
            "invalid_choice": "It is allowed, or it is not.",
        },
    )


class VerifyForm(Form):
    """Where a check is run."""

    name = "verify"
    at = Checked(
        policy.branch_problem,
        limit=200,
        label="At",
        required=False,
        widget=forms.TextInput(attrs={"class": "in mono", "autocapitalize": "off", "spellcheck": "false"}),
    )


class VerifyAllForm(VerifyForm):
    name = "verify-all"
