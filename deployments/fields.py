"""Fields for commands and variables as people type them; what is stored comes back as it could be typed."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError

from deployments import intake
from tickets.fields import Lines

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


def command_text(arguments: list[str]) -> str:
    """Arguments as ``intake.command`` reads them: lines, where lines say them as they are."""
    plain = "\n".join(arguments)
    if arguments and [line.strip() for line in plain.split("\n") if line.strip()] != arguments:
        return json.dumps(arguments, ensure_ascii=False)
    return json.dumps(arguments, ensure_ascii=False) if plain.startswith("[") else plain
