"""The differences between the structure that the code expects and the one that is there.

Missing or changed refuses, whatever it is. Extra columns, constraints and
triggers on known tables refuse too: code that does not know them cannot
promise to keep them. Extra indexes only warn, unless they are unique: those
refuse rows as a constraint does. Tables that no manifest knows are nobody's
business. What a recorded ``expand`` migration ahead of the code added to a
table of its own app is explained, unless old code could not insert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from portal.core.guard.manifest import Manifest
from portal.core.guard.structure import Column, Index, Structure, Table


class Weight(StrEnum):
    """What a difference does."""

    REFUSE = "refuse"
    WARN = "warn"
    EXPLAINED = "explained"


class Change(StrEnum):
    """How the database differs."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of the report. ``name`` is empty when the table itself is meant."""

    what: str
    change: Change
    table: str
    name: str
    expects: str
    has: str
    weight: Weight = Weight.REFUSE

    @property
    def place(self) -> str:
        return f"{self.table}.{self.name}" if self.name else self.table


_KINDS: Final = (
    ("Column", "columns"),
    ("Constraint", "constraints"),
    ("Index", "indexes"),
    ("Trigger", "triggers"),
)
_ORDINARY: Final = "an ordinary table"


def differences(manifest: Manifest, live: Structure, explaining: frozenset[str] = frozenset()) -> list[Difference]:
    """All differences, refusals first; ``explaining`` names the apps with recorded ``expand`` migrations ahead."""
    found: list[Difference] = []
    for name, expected in sorted(manifest.structure.tables.items()):
        has = live.tables.get(name)
        if has is None:
            columns = f"a table of {len(expected.columns)} columns"
            found.append(Difference("Table", Change.MISSING, name, "", columns, "missing"))
        else:
            found += _of_table(name, expected, has, manifest.apps.get(name, "") in explaining)
    order = list(Weight)
    return sorted(found, key=lambda row: (order.index(row.weight), row.place))


def _of_table(table: str, expected: Table, has: Table, explained: bool) -> Iterator[Difference]:
    if expected.options != has.options:
        yield Difference("Table", Change.CHANGED, table, "", expected.options or _ORDINARY, has.options or _ORDINARY)
    for what, part in _KINDS:
        wanted: Mapping[str, Any] = getattr(expected, part)
        there: Mapping[str, Any] = getattr(has, part)
        for name in sorted(wanted.keys() | there.keys()):
            if name not in there:
                yield Difference(what, Change.MISSING, table, name, str(wanted[name]), "missing")
            elif name not in wanted:
                weight = _weight_of_extra(there[name], explained)
                yield Difference(what, Change.EXTRA, table, name, "nothing", f"extra: {there[name]}", weight)
            elif wanted[name] != there[name]:
                yield Difference(what, Change.CHANGED, table, name, str(wanted[name]), str(there[name]))


def _weight_of_extra(item: Any, explained: bool) -> Weight:
    if explained and (not isinstance(item, Column) or item.fills_itself):
        return Weight.EXPLAINED
    return Weight.WARN if isinstance(item, Index) and not item.unique else Weight.REFUSE
