"""What a go at a step came to, as its worker hands it on to whoever moves the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """How a step went: the job is done either way; whether the deployment goes on is another question.

    ``again``: where it went wrong, whether it may go again by itself.
    """

    right: bool
    message: str = ""
    exit_code: int | None = None
    checks: tuple[dict[str, Any], ...] = ()
    again: bool = True


@dataclass(frozen=True, slots=True)
class Later:
    """The step's pause is not over: another job of it becomes due then, and nobody is kept waiting."""

    seconds: float
