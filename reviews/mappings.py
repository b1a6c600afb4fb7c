"""How the columns of a series' documents are read: as a person types it, as it is kept, as the importer takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping as Stored
from typing import Any, Final

from reviews.importing import BadInput
from reviews.importing.mapping import Mapping, mapping_of
from reviews.models import Series

# Typed alone, it takes a mapping back.
NONE: Final = "-"
_LINE: Final = re.compile(r"(?:(severity|status)\s*:\s*)?([^=]+?)\s*=\s*(.+)", re.IGNORECASE)
_WORDS: Final = {"severity": "severities", "status": "statuses"}


def read(text: str) -> dict[str, Any]:
    """Lines such as ``title = Summary``, ``severity: blocker = critical``, ``items = results``. Raises ``BadInput``.

    ``-`` alone is no mapping: columns are known by their names again.
    """
    if text.strip() == NONE:
        return {}
    found: dict[str, Any] = {"fields": {}, "severities": {}, "statuses": {}, "items": ""}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise BadInput("mapping", f"Line {number} is not of the form: title = Summary.")
        of, name, value = match[1], match[2].strip(), match[3].strip()
        if of:
            found[_WORDS[of.lower()]][name.lower()] = value.lower()
        elif name.lower() == "items":
            found["items"] = value
        elif name.lower() in found["fields"]:
            raise BadInput("mapping", f"Line {number}: {name.lower()} is there twice.")
        else:
            found["fields"][name.lower()] = value
    return mapping_of(found).stored()


def written(stored: Stored[str, Any]) -> str:
    """As ``read`` reads it."""
    lines = [f"{name} = {column}" for name, column in stored.get("fields", {}).items()]
    lines += [f"severity: {word} = {severity}" for word, severity in stored.get("severities", {}).items()]
    lines += [f"status: {word} = {status}" for word, status in stored.get("statuses", {}).items()]
    lines += [f"items = {stored['items']}"] if stored.get("items") else []
    return "\n".join(lines)


def of(series: Series) -> Mapping | None:
    """As the importer takes it; None where columns are known by their names. Raises ``BadInput``."""
    return mapping_of(series.mapping) if series.mapping else None
