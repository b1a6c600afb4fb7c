"""The field in which people say what a service needs."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError

from deployments import dependencies
from tickets.fields import Words

HELP: Final = (
    "Names of services of this project with commas between them; a number after one is the lowest release that will"
    " do: database, queue 12. Each has to stand in the environment before this one starts there."
)


class NeedWords(Words):
    """Services as ``dependencies.read`` reads them; what comes of it is a dictionary."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limit=2000, label="Needs", required=False, help_text=HELP, **options)

    def clean(self, value: Any) -> Any:
        try:
            return dependencies.read(super().clean(value))
        except dependencies.BadNeed as problem:
            raise ValidationError(str(problem)) from None

    def prepare_value(self, value: Any) -> Any:
        return dependencies.written(value) if isinstance(value, dict) else value
