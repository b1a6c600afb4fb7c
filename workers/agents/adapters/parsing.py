"""JSON that a program printed: objects out of a line, and values out of objects of any shape. Nothing here raises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from portal.core.storable import storable
from workers.agents.adapters.reader import Line, without_ansi

Json = dict[str, Any]

DEEPEST: Final = 100
MOST_MARKS: Final = 2_000_000  # brackets, braces and commas: a few bytes can make an object of a hundred
MOST_JOINED: Final = 100
LARGEST: Final = 2**53
_BETWEEN: Final = re.compile(r"(?:\s|\x1b\[[0-?]*[ -/]*[@-~])*")
_STATUS: Final = re.compile(r"(?:status|code|api error|\()\W{0,4}([45]\d\d)\b", re.IGNORECASE)


def objects(line: Line) -> tuple[list[Json], str]:
    """Return the JSON objects that follow one another in a line, and the text that is none of them.

    Text before the first brace is let go, so a banner without a newline hides nothing. From the first thing
    on that is no whole object nothing is read: the inside of a cut object must not be taken for a message.
    """
    text = line.text
    brackets = text.count("{") + text.count("[")
    if line.cut or "{" not in text or brackets + text.count(",") > MOST_MARKS:
        return [], without_ansi(text)
    as_is = brackets <= DEEPEST and "\\u" not in text  # what could be too deep or no text must be walked through
    before, brace, rest = text.partition("{")
    text = brace + rest
    found: list[Json] = []
    place = 0
    while text.startswith("{", place) and len(found) < MOST_JOINED:
        try:
            value, end = _DECODER.raw_decode(text, place)
            found.append(value if as_is else _cleaned(value, DEEPEST))
        except (ValueError, RecursionError):
            break
        between = _BETWEEN.match(text, end)
        place = between.end() if between else end
    return found, without_ansi(before + text[place:]).strip()


def _cleaned(value: Any, depth: int) -> Any:
    """Return the value with its text storable; raise ValueError where it is nested too deeply."""
    if isinstance(value, dict | list) and not depth:
        raise ValueError("nested too deeply")
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(name): _cleaned(item, depth - 1) for name, item in value.items()}
        case list():
            return [_cleaned(item, depth - 1) for item in value]
        case _:
            return value


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


# Not strict: a raw control character in a string spoils nothing. Numbers that JSON does not know are None.
_DECODER: Final = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=lambda name: None)


def at(value: object, *path: str) -> Any:
    """Return what is at that path of objects, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def words(value: object, *path: str) -> str:
    """Return the text there, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def name_of(value: object, *path: str) -> str:
    """Return what names a thing there: text, or a whole number as text."""
    found = at(value, *path)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else words(found)


def record(value: object, *path: str) -> Json:
    """Return the object there, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def records(value: object, *path: str) -> Iterator[Json]:
    """Yield the objects of the list there."""
    found = at(value, *path)
    return (item for item in found if isinstance(item, dict)) if isinstance(found, list) else iter(())


def count(value: object, *path: str) -> int | None:
    """Return the whole number there if it can be a count, or None."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < LARGEST:
        return None
    return int(found)


def amount(value: object, *path: str) -> float | None:
    """Return the number there if it can be a sum of money, or None."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < LARGEST:
        return None
    return float(found)


def flat(value: object) -> str:
    """Return a tool's content as text: text as it is, parts joined, what is no text named or as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "\n".join(flat(item) for item in value)
        case {"text": str(text)}:
            return text
        case {"type": str(kind), **rest} if set(rest) & {"data", "source", "blob"}:
            return f"[{kind}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def status_in(message: str) -> int | None:
    """Return the HTTP status that an error's words name, or None."""
    found = _STATUS.search(message)
    return int(found[1]) if found else None
