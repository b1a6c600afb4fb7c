"""What a database has at one moment: its structure, and for each column of each table a digest of its values.

A digest does not depend on the order of rows, and binds each value to the key
of its row. It is made by PostgreSQL itself, and on SQLite from a stream of
rows, so that no table has to fit into memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard import structure
from portal.core.guard.structure import Structure, Table
from portal.site.keeping.moving import OF_MIGRATIONS

_ROWS: Final = 1000
_PRIMARY: Final = re.compile(r"primary key \(([^)]*)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """``filled`` counts the rows in which it is neither null nor empty."""

    digest: int
    filled: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The rows of a table, and its columns by name."""

    rows: int
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class Level:
    """A database between two steps. ``tables`` are those whose rows are people's, not the migrate step's own."""

    structure: Structure
    tables: dict[str, Contents]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@dataclass(frozen=True, slots=True)
class Loss:
    """A table or a column that a direction takes away; ``rows`` had something in it."""

    way: str
    table: str
    column: str
    rows: int


def read(connection: BaseDatabaseWrapper) -> Level:
    """Raises ``django.db.Error``."""
    found = structure.read(connection)
    read_one = _by_server if connection.vendor == "postgresql" else _by_stream
    tables = {
        name: read_one(connection, name, table)
        for name, table in sorted(found.tables.items())
        if name not in OF_MIGRATIONS
    }
    return Level(found, tables)


def changed(before: Level, after: Level, among: Level | None = None) -> list[str]:
    """Where the rows of what both have are not the same: what ``among`` has not either is left out."""
    found = []
    for name in sorted(before.tables.keys() & after.tables.keys()):
        one, other = before.tables[name], after.tables[name]
        between = among.tables.get(name) if among else other
        if between is None:
            continue
        if one.rows != other.rows:
            found.append(f"{name} had {one.rows} rows, and has {other.rows}")
            continue
        both = one.columns.keys() & other.columns.keys() & between.columns.keys()
        found += [
            f"{name}.{column} has other values"
            for column in sorted(both)
            if one.columns[column].digest != other.columns[column].digest
        ]
    return found


def lost(way: str, before: Level, after: Level) -> list[Loss]:
    """What ``before`` has and ``after`` has no place for."""
    found = []
    for name, table in before.tables.items():
        if name not in after.tables:
            found.append(Loss(way, name, "", table.rows))
            continue
        gone = table.columns.keys() - after.tables[name].columns.keys()
        found += [Loss(way, name, column, table.columns[column].filled) for column in sorted(gone)]
    return found


def _key_of(table: Table) -> list[str]:
    for constraint in table.constraints.values():
        if match := _PRIMARY.search(constraint.definition):
            return [name.strip(' "') for name in match[1].split(",")]
    return []


def _by_server(connection: BaseDatabaseWrapper, name: str, table: Table) -> Contents:
    quote = connection.ops.quote_name
    columns = sorted(table.columns)
    key = ", ".join(f"{quote(column)}::text" for column in _key_of(table)) or "''"
    asked = ["count(*)"]
    for column in columns:
        text = f"{quote(column)}::text"
        asked.append(f"sum(hashtextextended(concat_ws('|', {key}) || coalesce('=' || {text}, '-'), 0)::numeric)")
        asked.append(f"count(nullif({text}, ''))")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(asked)} FROM {quote(name)}")
        rows, *found = cursor.fetchone()
    told = zip(columns, found[::2], found[1::2], strict=True)
    return Contents(rows, {column: Column(int(digest or 0), filled) for column, digest, filled in told})


def _by_stream(connection: BaseDatabaseWrapper, name: str, table: Table) -> Contents:
    columns, key = sorted(table.columns), _key_of(table)
    digests, filled, count = [0] * len(columns), [0] * len(columns), 0
    for row in _streamed(connection, name, [*key, *columns]):
        count += 1
        own = repr(row[: len(key)]).encode()
        for place, value in enumerate(row[len(key) :]):
            digests[place] += _number(own, value)
            filled[place] += value is not None and value != ""
    return Contents(count, {column: Column(digests[place], filled[place]) for place, column in enumerate(columns)})


def _streamed(connection: BaseDatabaseWrapper, name: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    quoted = ", ".join(connection.ops.quote_name(column) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {quoted} FROM {connection.ops.quote_name(name)}")
        while rows := cursor.fetchmany(_ROWS):
            yield from rows


def _number(key: bytes, value: Any) -> int:
    return int.from_bytes(hashlib.blake2b(key + repr(value).encode(), digest_size=8).digest(), "big")
