"""What a tool is: a name, arguments of a strict form, and one call inward, as the agent of a running turn.

Whatever goes wrong is a sentence for the agent. Arguments are checked at this
edge: a name that is not declared is refused, not ignored, and nothing is
turned into another type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import Error as DatabaseFailure
from pydantic import BaseModel, ConfigDict, ValidationError

from portal.core import access, cause
from portal.core.access import Operation
from portal.core.lifecycle import Refused
from portal.core.redaction import redact
from portal.core.storable import storable
from tickets.models import Turn

log = structlog.get_logger(__name__)
# Of a name that is told back to whoever sent it.
NAME_CHARS: Final = 60


class Arguments(BaseModel):
    """The arguments of one tool; nothing else is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(Arguments):
    """No argument at all."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``do`` is called with the turn and its arguments, and answers with what JSON can say."""

    name: str
    meaning: str
    arguments: type[Arguments]
    do: Callable[[Turn, Any], dict[str, Any]]
    operation: Operation
    writes: bool

    def schema(self) -> dict[str, Any]:
        return self.arguments.model_json_schema()


def tool(
    name: str, arguments: type[Arguments], *, writes: bool = False
) -> Callable[[Callable[[Turn, Any], dict[str, Any]]], Tool]:
    """Declare a tool; its docstring is what the agent is told of it."""
    operation = access.declare(f"mcp.{name}", "mcp", access.TURN)

    def make(do: Callable[[Turn, Any], dict[str, Any]]) -> Tool:
        meaning = " ".join((do.__doc__ or "").split())
        return Tool(name, meaning, arguments, do, operation, writes)

    return make


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave; ``refused``: ``said`` is a sentence that says why nothing was done."""

    said: dict[str, Any] | str
    refused: bool = False


def call(offered: dict[str, Tool], turn: Turn, name: str, given: dict[str, Any]) -> Answer:
    """Do what the tool of that name does. Never raises: an agent can act upon a sentence, and upon nothing else."""
    found = offered.get(name)
    if found is None:
        return Answer(f"There is no tool named {_shown(name)}. There are: {', '.join(offered)}.", refused=True)
    try:
        arguments = found.arguments.model_validate(given)
    except ValidationError as error:
        return Answer(_why(found, error), refused=True)
    try:
        return Answer(_clean(found.do(turn, arguments)))
    except Refused as refusal:
        return Answer(redact(str(refusal)), refused=True)
    except DatabaseFailure:
        log.exception("tool_failed", tool=name)
        return Answer("The database does not answer, or is busy. Nothing was changed; try again in a while.", True)
    except Exception:
        log.exception("tool_failed", tool=name)
        again = f"Something broke on our side (request {cause.current().request_id})."
        return Answer(f"{again} Go on without it, and end with your signal.", refused=True)


def _why(found: Tool, error: ValidationError) -> str:
    """The first thing that does not fit. What was sent is not told back: it may be of any length."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(_shown(str(part)) for part in first["loc"][:4])
    if first["type"] == "extra_forbidden":
        known = ", ".join(found.arguments.model_fields) or "none"
        return f"{found.name} takes no argument named {place}. There are: {known}."
    if first["type"] == "missing":
        return f"{found.name} needs the argument {place}."
    return f"{place}: {first['msg']}."


def _shown(name: str) -> str:
    short = storable(name[:NAME_CHARS])
    return short if short.isprintable() else repr(short)


def _clean(value: Any) -> Any:
    """Without secrets, text by text: what people write may hold some."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value
