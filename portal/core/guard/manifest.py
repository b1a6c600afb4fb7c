"""The committed manifest of an engine: what this code expects, in a file whose diffs a reader can judge.

One line per column, constraint, index and trigger, all sorted. Made by
``manage.py schema_guard --write-manifest`` from a new, empty database that the
migrations filled, never from one that a hand may have touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from portal.core.guard.structure import Column, Constraint, Index, Structure, Table, Trigger

FOLDER: Final = Path(__file__).resolve().parent / "manifests"
_PARTS: Final[dict[str, Any]] = {"columns": Column, "constraints": Constraint, "indexes": Index, "triggers": Trigger}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The expected structure, which app owns which table, and the migrations that lead there."""

    structure: Structure
    apps: Mapping[str, str]
    migrations: frozenset[tuple[str, str]]

    def written(self) -> str:
        """The file's text."""
        names: dict[str, list[str]] = {}
        for app, name in sorted(self.migrations):
            names.setdefault(app, []).append(name)
        tables = {name: _table(self.apps.get(name, ""), table) for name, table in self.structure.tables.items()}
        return _lines({"migrations": names, "tables": tables}, 0) + "\n"


def path(vendor: str) -> Path:
    """The file of an engine (``postgresql`` or ``sqlite``)."""
    return FOLDER / f"{vendor}.json"


def load(vendor: str) -> Manifest:
    """The committed manifest; raises ``OSError`` or ``ValueError`` when the file is missing or broken."""
    return parse(path(vendor).read_text(encoding="utf-8"))


def parse(text: str) -> Manifest:
    """A manifest from its file's text; raises ``ValueError``."""
    try:
        content = json.loads(text)
        tables = {name: _read_table(dict(table)) for name, table in content["tables"].items()}
        apps = {name: str(table["app"]) for name, table in content["tables"].items()}
        migrations = frozenset((app, name) for app, names in content["migrations"].items() for name in names)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the manifest is not of the expected form ({error!r})") from None
    return Manifest(Structure(tables), apps, migrations)


def _table(app: str, table: Table) -> dict[str, Any]:
    parts = {part: {name: _slim(item) for name, item in getattr(table, part).items()} for part in _PARTS}
    return {"app": app, "options": table.options, **parts}


def _slim(item: Any) -> Any:
    fields = asdict(item)
    if set(fields) == {"definition"}:
        return fields["definition"]
    return {name: value for name, value in fields.items() if value != ""}


def _read_table(table: dict[str, Any]) -> Table:
    parts: dict[str, Any] = {}
    for part, of in _PARTS.items():
        parts[part] = {
            name: of(**item) if isinstance(item, dict) else of(definition=item) for name, item in table[part].items()
        }
    return Table(options=table["options"], **parts)


def _lines(value: Any, depth: int) -> str:
    """JSON, sorted, with one line for whatever holds no further object."""
    holds_more = isinstance(value, dict) and (depth < 2 or any(isinstance(item, dict) for item in value.values()))
    if depth == 4 or not holds_more:
        is_listing = isinstance(value, dict) and depth == 3 and value
        if not is_listing:
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
    inner = " " * (depth + 1)
    rows = [f"{inner}{json.dumps(name)}: {_lines(item, depth + 1)}" for name, item in sorted(value.items())]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"
