"""The tour as README tells it: its words are read as what is done, in their order.

In a step, a fenced block is run, **bold** is pressed, **bold** followed by
`code` is filled in, *slanted* text is on the page then, a link to the demo's
service is looked at, and a link to a picture takes it. Any other mark is an
error: a step says nothing that is not done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

README: Final = Path(__file__).resolve().parents[2] / "README.md"
CHAPTER: Final = "## The ten-minute tour\n"
PICTURES: Final = "docs/pictures/"
LINK_FILE: Final = "data/first-admin.txt"

Kind = Literal["run", "interrupt", "open", "visit", "fill", "press", "see", "picture"]

_STEP: Final = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
_PARTS: Final = re.compile(
    rf"""
      ```\n (?P<run>[^`]+?) \n```
    | !?\[ [^\]]* \]\( (?P<picture>{PICTURES}[\w-]+\.png) \)
    | \[ [^\]]* \]\( (?P<visit>http://127\.0\.0\.1:\d+/\w*) \)
    | \*\* (?P<fill>[^*`]+) \*\* \s+ ` (?P<value>[^`]+) `
    | \*\* (?P<press>[^*`]+) \*\*
    | \* (?P<see>[^*`]+) \*
    | ` (?P<open>{re.escape(LINK_FILE)}) `
    | <kbd> (?P<interrupt>Ctrl-C) </kbd>
    """,
    re.VERBOSE,
)
_MARKS: Final = re.compile(r"[*`\[\]<>_#|]")


@dataclass(frozen=True)
class Deed:
    """``what`` is a command, an address, a name or a text; ``value`` is what a field is given."""

    kind: Kind
    what: str
    value: str = ""


@dataclass(frozen=True)
class Step:
    number: int
    title: str
    deeds: tuple[Deed, ...]


def read(text: str) -> list[Step]:
    """The steps of the tour. Raises ``ValueError`` where a step says what nobody can do."""
    _, found, rest = text.partition(CHAPTER)
    if not found:
        raise ValueError(f"there is no chapter {CHAPTER.strip()}")
    chapter = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    _, *parts = _STEP.split(chapter)
    steps = [
        Step(int(number), title, tuple(_deeds(f"step {number}", body)))
        for number, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise ValueError("the steps are not numbered one after the other")
    return steps


def _deeds(where: str, body: str) -> list[Deed]:
    left = _PARTS.sub("", body)
    if mark := _MARKS.search(left):
        line = next(line for line in left.splitlines() if mark.group() in line)
        raise ValueError(f"{where}: nobody can do this: {line.strip()}")
    deeds = [_deed(part) for part in _PARTS.finditer(body)]
    if not deeds:
        raise ValueError(f"{where}: there is nothing to do")
    return deeds


def _deed(part: re.Match[str]) -> Deed:
    kind: Kind = next(kind for kind, what in part.groupdict().items() if what is not None)  # type: ignore[assignment]
    return Deed(kind, _line(part[kind]), _line(part["value"] or ""))


def _line(text: str) -> str:
    """A name may go on in the next line."""
    return " ".join(text.split())
