"""A command as people write it, to the list of arguments that is run without a shell."""

from __future__ import annotations

import json
from typing import Any, Final

MOST_ARGUMENTS: Final = 100
MOST_CHARACTERS: Final = 2000


class BadCommand(Exception):
    """The text is no command; the message says where and why."""


def command(text: str) -> list[str]:
    """One argument a line, or a JSON list of texts. Raises ``BadCommand``."""
    arguments = (
        _from_json(text)
        if text.lstrip().startswith("[")
        else [line.strip() for line in text.split("\n") if line.strip()]
    )
    if not arguments or not arguments[0].strip():
        raise BadCommand("The first argument is the program; there is none.")
    if len(arguments) > MOST_ARGUMENTS:
        raise BadCommand(f"At most {MOST_ARGUMENTS} arguments (you sent {len(arguments)}).")
    for place, argument in enumerate(arguments, start=1):
        _check(place, argument)
    return arguments


def _from_json(text: str) -> list[str]:
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError as problem:
        raise BadCommand(
            f"It begins as a JSON list and is none: {problem.msg} at line {problem.lineno}, column {problem.colno}."
        ) from None
    except (RecursionError, ValueError):
        raise BadCommand(
            "It begins as a JSON list and is none: it is nested too deep, or a number in it is too long."
        ) from None
    if not isinstance(found, list):
        raise BadCommand("It begins as a JSON list and is none.")
    for place, argument in enumerate(found, start=1):
        if not isinstance(argument, str):
            raise BadCommand(f"Argument {place} is {json.dumps(argument)[:60]}; every argument is text in quotes.")
    return found


def _check(place: int, argument: str) -> None:
    if len(argument) > MOST_CHARACTERS:
        raise BadCommand(f"Argument {place} has {len(argument):,} characters; at most {MOST_CHARACTERS:,}.")
    if "\x00" in argument or any("\ud800" <= letter <= "\udfff" for letter in argument):
        raise BadCommand(
            f"Argument {place} contains a character that no program can be given (NUL, or half a character)."
        )
