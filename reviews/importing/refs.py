"""Refs named in running text, such as H1, CR-02, #3 or 1.2."""

from __future__ import annotations

import re

MAX_TEXT = 4_000
MAX_TITLE = 600

_REF = re.compile(
    r"(?<![\w/])(?:[A-ZА-Я][A-ZА-Я0-9]{0,9}(?:[-_][A-Z0-9]{1,8}){0,2}[-_]?\d{1,5}|#\d{1,4}|\d{1,2}\.\d{1,2})(?!\w|/[A-Za-z])"
)


def refs_in(text: str) -> tuple[str, ...]:
    """Whatever looks like a ref, in order, each once."""
    return tuple(dict.fromkeys(_REF.findall(text[:MAX_TEXT])))


# What a title adds at its end, before whatever it says of a status: `Rate limit for logins (C-02, C-03) - done`.
_ADDED = re.compile(r"[(\[]([^()\[\]]{2,120})[)\]](?=\W*(?:\w+(?: \w+){0,3}\W*)?$|\W*\w+ \([^()]*\)$)")


def refs_added(title: str) -> tuple[str, ...]:
    """The refs that a title names in brackets at its end and nothing else: it speaks of those findings."""
    match = _ADDED.search(title[:MAX_TITLE])
    if match is None or re.sub(r"[\s,;/&+]|and|et|und|y|e", "", _REF.sub("", match[1])):
        return ()
    return refs_in(match[1])
