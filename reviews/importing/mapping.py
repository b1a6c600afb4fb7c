"""Which column of a table, or which path in a JSON document, is which part of a finding; said once for a source."""

from __future__ import annotations

from collections.abc import Mapping as Stored
from dataclasses import dataclass
from typing import Any, Final, cast

from reviews.importing.model import SEVERITIES, BadInput, Severity, Status

FIELDS: Final = (
    "title", "body", "severity", "status", "status_reason", "category", "file", "line", "line_end",
    "rule", "ref", "fingerprint", "cwe", "fix", "ticket", "tool",
)  # fmt: skip
STATUSES: Final[tuple[Status, ...]] = ("open", "fixed", "rejected", "deferred")
MAX_WORDS: Final = 200
MAX_CHARS: Final = 200
_KEYS: Final = frozenset({"fields", "severities", "statuses", "items"})


@dataclass(frozen=True, slots=True)
class Mapping:
    """`fields` are (part of a finding, column or path); `items` is the path to the list in a JSON document.

    Words of severity and status are compared without regard to case.
    """

    fields: tuple[tuple[str, str], ...]
    severities: tuple[tuple[str, Severity], ...] = ()
    statuses: tuple[tuple[str, Status], ...] = ()
    items: str = ""

    def column(self, field: str) -> str | None:
        return next((column for name, column in self.fields if name == field), None)

    def stored(self) -> dict[str, Any]:
        """As JSON, to be kept with a source; `mapping_of` reads it."""
        return {
            "fields": dict(self.fields),
            "severities": dict(self.severities),
            "statuses": dict(self.statuses),
            "items": self.items,
        }


def mapping_of(stored: object) -> Mapping:
    """A mapping from what a person or a program gave; BadInput names what is wrong in it."""
    if not isinstance(stored, dict):
        raise BadInput("mapping", "A mapping is an object with `fields`.")
    unknown = sorted(str(key) for key in stored if key not in _KEYS)
    if unknown:
        raise BadInput("mapping", f"A mapping has no {', '.join(unknown)}; it has {', '.join(sorted(_KEYS))}.")
    fields = _words(stored, "fields", FIELDS)
    if "title" not in dict(fields):
        raise BadInput("mapping", "A mapping says which column is the title.")
    items = stored.get("items", "")
    if not isinstance(items, str) or len(items) > MAX_CHARS:
        raise BadInput("mapping", f"`items` of a mapping is a path of at most {MAX_CHARS} characters.")
    severities = _words(stored, "severities", None, SEVERITIES)
    statuses = _words(stored, "statuses", None, STATUSES)
    return Mapping(
        fields,
        cast("tuple[tuple[str, Severity], ...]", severities),
        cast("tuple[tuple[str, Status], ...]", statuses),
        items,
    )


def _words(
    stored: Stored[str, Any], key: str, names: tuple[str, ...] | None, meanings: tuple[str, ...] | None = None
) -> tuple[tuple[str, str], ...]:
    said = stored.get(key) or {}
    if not isinstance(said, dict) or len(said) > MAX_WORDS:
        raise BadInput("mapping", f"`{key}` of a mapping is an object with at most {MAX_WORDS} entries.")
    for name, value in said.items():
        if not isinstance(name, str) or not isinstance(value, str) or not name or not value:
            raise BadInput("mapping", f"`{key}` of a mapping says a word for each word.")
        if max(len(name), len(value)) > MAX_CHARS:
            raise BadInput("mapping", f"`{key}` of a mapping has a word of more than {MAX_CHARS} characters.")
        if names is not None and name not in names:
            raise BadInput("mapping", f"{name} is no part of a finding; those are {', '.join(names)}.")
        if meanings is not None and value not in meanings:
            raise BadInput("mapping", f"{value} is none of {', '.join(meanings)}.")
    return tuple(said.items())
