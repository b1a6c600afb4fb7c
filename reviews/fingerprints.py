"""Fingerprints: how a problem that is mentioned again is known again. Each has an algorithm and its version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from reviews.importing.model import ParsedFinding
from reviews.importing.similarity import normal
from reviews.models import Fingerprint

KEY_CHARS: Final = 24
FILES_COUNTED: Final = 20
TOOL_COUNTED: Final = 20
# On its way into a series a title is asked for several times.
TITLES_REMEMBERED: Final = 20_000
# What is stored of a title and of a place, so that both are told from what is stored.
TITLE_CHARS: Final = 300
PLACE_CHARS: Final = 300
KEY, TITLE, PLACE = Fingerprint.Algorithm.KEY, Fingerprint.Algorithm.TITLE, Fingerprint.Algorithm.PLACE
TOOL, REGION = Fingerprint.Algorithm.TOOL, Fingerprint.Algorithm.REGION
_LINES: Final = re.compile(r"(?:#L|:|\s).*$", re.DOTALL)


class Print(NamedTuple):
    """A fingerprint: the algorithm, its version, the value."""

    algorithm: str
    version: int
    value: str


def usable(key: str | None) -> str:
    """A ticket key that a document gives, where a ticket could have it."""
    return key if key and len(key) <= KEY_CHARS else ""


def key_of(item: ParsedFinding) -> str:
    return usable(item.ticket_key)


def identity(item: ParsedFinding) -> str:
    """The name that a finding gets in its series, and keeps: its key, else the digest of its title."""
    return f"key:{key_of(item)}" if key_of(item) else f"title:{titles_of(item.title)[1].value}"


def prints_of(
    title: str,
    files: Sequence[str],
    key: str,
    *,
    tool: Iterable[Sequence[str]] = (),
    code: Iterable[str] = (),
) -> list[Print]:
    """The fingerprints of a finding, as they are stored.

    ``tool``: what a tool knows it by, as pairs of an algorithm and a value;
    ``code``: digests of the regions that it names.
    """
    found = [Print(KEY, 1, key)] if key else []
    found += tool_prints(tool)
    found.append(titles_of(title)[0])
    return [*found, *places_of(files), *code_prints(code)]


def tool_prints(pairs: Iterable[Sequence[str]]) -> list[Print]:
    values = dict.fromkeys(_digest(f"{name}\n{value}") for name, value in list(pairs)[:TOOL_COUNTED])
    return [Print(TOOL, 1, value) for value in values]


def code_prints(digests: Iterable[str]) -> list[Print]:
    return [Print(REGION, 1, value) for value in list(dict.fromkeys(digests))[:FILES_COUNTED]]


def places_of(files: Sequence[str]) -> list[Print]:
    return [_place(base) for base in dict.fromkeys(bases(files[:FILES_COUNTED]))]


@lru_cache(maxsize=TITLES_REMEMBERED)
def _place(base: str) -> Print:
    return Print(PLACE, 1, _digest(base))


@lru_cache(maxsize=TITLES_REMEMBERED)
def titles_of(title: str) -> tuple[Print, Print]:
    """Those by which a title may be known: that of an older algorithm too."""
    return Print(TITLE, 2, _words(title)), Print(TITLE, 1, _spaced(title))


def wanted_of(item: ParsedFinding, code: Iterable[str] = ()) -> list[Print]:
    """The fingerprints by which an item may be known: those of older algorithms too."""
    own = prints_of(item.title, item.files, key_of(item), tool=item.fingerprints, code=code)
    return [*own, titles_of(item.title)[1]]


def path_of(place: str) -> str:
    """The path of a place such as ``./app/models.py:31-32``."""
    return _LINES.sub("", place.strip().removeprefix("./"))


def bases(files: Iterable[str]) -> list[str]:
    """File names without folders: documents write a path more or less fully."""
    return [base for base in (path_of(place).rpartition("/")[2] for place in files) if base]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _spaced(title: str) -> str:
    """Version 1 of the title: any case, any spaces."""
    return _digest(" ".join(title.lower().split()))


def _words(title: str) -> str:
    """Version 2 of the title: markup and punctuation do not count either."""
    return _digest(normal(title) or " ".join(title.lower().split()))
