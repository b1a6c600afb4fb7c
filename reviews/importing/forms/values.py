"""Untrusted values of JSON and CSV as typed ones; what has the wrong type counts as not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from reviews.importing.model import Severity
from reviews.importing.vocabulary import severity_of

MAX_WORDS: Final = 300
MAX_TEXT: Final = 4_000
MAX_LINE_NUMBER: Final = 10_000_000
MAX_ENTRIES: Final = 1_000

# No database keeps NUL, and no encoding has letters for half a surrogate pair; both can be written in JSON.
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SPACES: Final = re.compile(r"\s+")
_CWE: Final = re.compile(r"(?<![a-z])cwe[-_/: ]{0,3}0*([1-9]\d{0,5})(?!\d)", re.IGNORECASE)
_DIGITS: Final = re.compile(r"^\d{1,9}$")
_TOOL_WORDS: Final[dict[str, Severity]] = {
    "error": "high",
    "fatal": "critical",
    "note": "low",
    "none": "info",
    "style": "low",
    "convention": "low",
    "refactor": "low",
    "hint": "info",
    "negligible": "info",
}


def text_of(value: object, limit: int = MAX_TEXT) -> str:
    """A text, or a number as written; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, str) and len(value) <= limit and value.isprintable():
        return value.strip()
    # Ten times the limit is cut before the letters are looked at, so that a text of a megabyte costs nothing.
    clean = _UNFIT.sub("\ufffd", str(value)[: limit * 10].replace("\r\n", "\n").replace("\r", "\n")).strip()
    return clipped(clean, limit)


def line_text(value: object, limit: int = MAX_WORDS) -> str:
    """A text on one line."""
    return clipped(_SPACES.sub(" ", text_of(value, limit * 4)), limit)


def clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def first_line(text: str) -> str:
    """The first line with words in it."""
    return next((line.strip() for line in text.split("\n") if re.search(r"\w", line)), "")


def inside(value: object, *keys: str) -> Any:
    """What stands under `keys`, one object in the other; None where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def listed(value: object) -> list[Any]:
    return value[:MAX_ENTRIES] if isinstance(value, list) else []


def objects(value: object) -> Iterator[dict[str, Any]]:
    for entry in listed(value):
        if isinstance(entry, dict):
            yield entry


def truth(value: object) -> bool:
    """True as JSON says it, or as a table does."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "1", "y", "t", "x")
    return isinstance(value, bool | int) and bool(value)


def whole(value: object) -> int | None:
    """An integer that is written as one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def line_number(value: object) -> int | None:
    """The number of a line: a whole number from 1 on, also as a table writes it."""
    if isinstance(value, str) and _DIGITS.match(value.strip()):
        value = int(value.strip())
    number = whole(value)
    return number if number is not None and 1 <= number <= MAX_LINE_NUMBER else None


def number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}(?:\.\d{1,6})?\s*", value):
        value = float(value)
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None


def path_of(value: object) -> str:
    """A path as text, with slashes; nothing opens it."""
    return line_text(value).replace("\\", "/").removeprefix("./")


def decoded(uri: str) -> str:
    """A URI's path without its per cent signs; what is no text behind them stays a sign that says so."""
    return line_text(unquote(uri, errors="replace"))


def place(path: str, start: int | None, end: int | None = None) -> str:
    """`path:3-5`, as a reviewer would write it."""
    if not path or start is None:
        return path
    return f"{path}:{start}" if end is None or end <= start else f"{path}:{start}-{end}"


def cwes(*texts: object) -> tuple[str, ...]:
    """`CWE-79` for each number that the texts name, in order, each once."""
    return tuple(dict.fromkeys(f"CWE-{match[1]}" for text in texts for match in _CWE.finditer(text_of(text, 1_000))))


def cwe_numbers(value: object) -> tuple[str, ...]:
    """The same where only numbers are written, or a list of either."""
    entries = listed(value) if isinstance(value, list) else [value]
    found: list[str] = []
    for entry in entries:
        plain = text_of(entry, 200)
        found.extend([f"CWE-{int(plain)}"] if re.fullmatch(r"[1-9]\d{0,5}", plain) else cwes(plain))
    return tuple(dict.fromkeys(found))


def cvss_severity(score: float | None) -> Severity | None:
    """The band of a CVSS score, as code scanning of GitHub has it."""
    if score is None or not 0 < score <= 10:
        return None
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low"


def word_severity(word: str) -> Severity | None:
    """The severity that a tool's own word means."""
    return _TOOL_WORDS.get(word.strip().lower()) or severity_of(word)
