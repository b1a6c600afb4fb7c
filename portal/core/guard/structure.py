"""The structure of a database as values that can be compared, stored and read live.

Everything is keyed by name, never by position: the order in which columns or
indexes were made says nothing about whether code can work with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the empty text means "none" for everything but the type."""

    type: str
    nullable: bool
    default: str = ""
    generated: str = ""
    identity: str = ""
    collation: str = ""

    @property
    def fills_itself(self) -> bool:
        """Whether an INSERT that does not name the column succeeds."""
        return bool(self.nullable or self.default or self.generated or self.identity)

    def __str__(self) -> str:
        words = [self.type, "null" if self.nullable else "not null"]
        if self.collation:
            words.append(f"collate {self.collation}")
        if self.default:
            words.append(f"default {self.default}")
        if self.generated:
            words.append(f"generated {self.generated}")
        if self.identity:
            words.append(f"identity {self.identity}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A primary key, foreign key, UNIQUE, CHECK or exclusion, as the engine writes it."""

    definition: str

    def __str__(self) -> str:
        return self.definition


@dataclass(frozen=True, slots=True)
class Index:
    """An index that backs no constraint, as the engine writes it: unique, partial, expressions."""

    definition: str

    def __str__(self) -> str:
        return self.definition

    @property
    def unique(self) -> bool:
        """A unique index refuses rows: it is a constraint in all but its name."""
        return self.definition.lower().startswith("create unique")


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a trigger fires, and a digest of all that it then does."""

    definition: str
    digest: str

    def __str__(self) -> str:
        return f"{self.definition} [{self.digest}]"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``options`` are the properties that lose or hide rows (unlogged, row security, without rowid)."""

    options: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    indexes: Mapping[str, Index] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Structure:
    """The tables of one schema. Two are equal when no difference exists, whatever the order."""

    tables: Mapping[str, Table]

    def only(self, names: Iterable[str]) -> Structure:
        """This structure without any table that ``names`` does not hold."""
        wanted = set(names)
        return Structure({name: table for name, table in self.tables.items() if name in wanted})

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that are equal for equal structures."""
        plain: dict[str, Any] = {name: asdict(table) for name, table in self.tables.items()}
        return digest_of(json.dumps(plain, sort_keys=True))


def digest_of(text: str) -> str:
    """Twelve hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(connection: BaseDatabaseWrapper) -> Structure:
    """The live structure behind ``connection``; raises ``django.db.Error`` when the database does not answer."""
    if connection.vendor == "postgresql":
        from portal.core.guard import postgresql

        return postgresql.read(connection)
    from portal.core.guard import sqlite

    return sqlite.read(connection)
