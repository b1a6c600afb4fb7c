"""The block of `key: value` lines between two `---` at the top of a document, read without a YAML loader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_FRONT_LINES = 2_000

_PAIR = re.compile(r"^(\s*)([A-Za-z_][\w .-]{0,60}):(?:\s+(.*))?$")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`pairs` are (dotted key, value) in order; `end` is the line of the closing `---`, 0 when there is none."""

    pairs: tuple[tuple[str, str], ...] = ()
    end: int = 0

    def get(self, *keys: str) -> str | None:
        for wanted in keys:
            for key, value in self.pairs:
                if key == wanted and value:
                    return value
        return None


def read_front_matter(lines: Sequence[str]) -> FrontMatter:
    if not lines or lines[0].strip() != "---":
        return FrontMatter()
    for number in range(1, min(len(lines), MAX_FRONT_LINES)):
        if lines[number].strip() in ("---", "..."):
            pairs = tuple(_pairs(lines[1:number]))
            return FrontMatter(pairs, number + 1) if pairs else FrontMatter()
    return FrontMatter()


def _pairs(lines: Sequence[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    parent = ""
    for line in lines:
        match = _PAIR.match(line[:500])
        if match is None:
            continue
        key, value = match[2].strip().lower(), (match[3] or "").strip().strip("'\"")
        if match[1]:
            key = f"{parent}.{key}"
        else:
            parent = key
        pairs.append((key, value))
    return pairs
