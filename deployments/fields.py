"""Fields for commands and variables as people type them; what is stored comes back as it could be typed."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError

from deployments import intake
from tickets.fields import Lines, Words

COMMAND_CHARS = 20_000
VARIABLES_CHARS = 60_000
COMMAND_HELP = 'One argument a line, or a JSON list: ["./deploy", "web"]. It runs without a shell.'


class CommandLines(Lines):
    """A command; what comes of it is the list of its arguments, empty where nothing was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limit=COMMAND_CHARS, required=False, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return []
        try:
            return intake.command(text)
        except intake.BadCommand as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return command_text(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(self.prepare_value(initial), data))


class StatusWords(Words):
    """Statuses, with commas or blanks between them; what comes of it is a list of numbers, empty for 200."""

    def __init__(self, **options: Any) -> None:
        help_text = "Such as: 200, 204. Empty: 200. A redirect is not followed: its own status counts."
        super().__init__(limit=100, label="Statuses that are right", required=False, help_text=help_text, **options)

    def clean(self, value: Any) -> Any:
        try:
            return intake.statuses(super().clean(value))
        except intake.BadStep as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(self.prepare_value(initial), data))


class VariableLines(Lines):
    """Variables, one a line; what comes of it is names and values."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limit=VARIABLES_CHARS, required=False, **options)

    def clean(self, value: Any) -> Any:
        try:
            return intake.variables(super().clean(value))
        except intake.BadVariable as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return intake.written(value) if isinstance(value, dict) else value


class AgeWords(Words):
    """Days by severity, such as ``high 30, medium 90``; what comes of it is a dictionary."""

    def __init__(self, **options: Any) -> None:
        help_text = "Such as: high 30, medium 90. An open finding that is older holds, too."
        super().__init__(limit=200, label="Ages that hold, in days", required=False, help_text=help_text, **options)

    def clean(self, value: Any) -> Any:
        try:
            return intake.ages(super().clean(value))
        except intake.BadPolicy as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return ", ".join(f"{severity} {days}" for severity, days in value.items())


class CategoryWords(Words):
    """Words of categories with commas between them; what comes of it is a list."""

    def __init__(self, **options: Any) -> None:
        help_text = "Words, with commas between them. An open finding with one in its category holds."
        super().__init__(limit=2000, label="Categories that hold", required=False, help_text=help_text, **options)

    def clean(self, value: Any) -> Any:
        try:
            return intake.categories(super().clean(value).split(","))
        except intake.BadPolicy as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value


def command_text(arguments: list[str]) -> str:
    """Arguments as ``intake.command`` reads them: lines, where lines say them as they are."""
    plain = "\n".join(arguments)
    if arguments and [line.strip() for line in plain.split("\n") if line.strip()] != arguments:
        return json.dumps(arguments, ensure_ascii=False)
    return json.dumps(arguments, ensure_ascii=False) if plain.startswith("[") else plain
