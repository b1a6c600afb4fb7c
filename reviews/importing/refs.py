"""Refs named in running text, such as H1, CR-02, #3 or 1.2."""

from __future__ import annotations

import re

MAX_TEXT = 4_000

_REF = re.compile(
    r"(?<![\w/])(?:[A-ZА-Я][A-ZА-Я0-9]{0,9}(?:[-_][A-Z0-9]{1,8}){0,2}[-_]?\d{1,5}|#\d{1,4}|\d{1,2}\.\d{1,2})(?!\w|/[A-Za-z])"
)


def refs_in(text: str) -> tuple[str, ...]:
    """Whatever looks like a ref, in order, each once."""
    return tuple(dict.fromkeys(_REF.findall(text[:MAX_TEXT])))
