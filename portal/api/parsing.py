"""JSON as it is meant: no NaN, no name twice, no nesting without end, nothing but JSON."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser

DEEPEST: Final = 50


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises ``HttpError`` 415 for another type and 400, with the place, for anything else."""
        if request.content_type != "application/json":
            raise HttpError(415, "Send application/json.")
        if request.headers.get("Content-Encoding"):
            raise HttpError(415, "Send the body as it is, without an encoding.")
        return loads(request.body)


def loads(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        found = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise HttpError(400, f"Byte {error.start} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise HttpError(400, f"Not JSON at character {error.pos}: {error.msg}.") from None
    except RecursionError:
        raise HttpError(400, "Nested too deeply.") from None
    except ValueError as error:
        raise HttpError(400, f"Not JSON: {str(error)[:200].rstrip('.')}.") from None
    _check_depth(found, DEEPEST)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:60]!r} comes twice.")
    return found


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise HttpError(400, f"Nested more than {DEEPEST} deep.")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_depth(item, left - 1)
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise HttpError(400, "A text holds half a surrogate pair.") from None
        if "\x00" in value:
            raise HttpError(400, "A text holds a NUL character.")
    # 1e400 becomes infinity without the constant being named.
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        raise HttpError(400, "A number is too large.")
