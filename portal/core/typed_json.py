"""JSON that is typed into a form: whatever it is, it is refused in words, and shown again as it was typed."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput


class TypedJSONField(forms.JSONField):
    """Django's breaks on what nests deeply and on numbers of thousands of digits, and shows other text than was typed.

    ``max_chars`` bounds the text.
    """

    def __init__(self, *, max_chars: int, **options: Any) -> None:
        self.max_chars = max_chars
        super().__init__(**options)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed is shown as it was typed: reading it again for that may fail."""
        return initial if self.disabled else InvalidJSONInput(data or "")

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > self.max_chars:
            raise forms.ValidationError(f"At most {self.max_chars:,} characters (you gave {len(value):,}).")
        try:
            found = super().to_python(value)
            json.dumps(found, allow_nan=False)
        except RecursionError:
            raise forms.ValidationError("It is nested too deeply.") from None
        except ValueError:
            raise forms.ValidationError("It holds a number that no database keeps.") from None
        return found
