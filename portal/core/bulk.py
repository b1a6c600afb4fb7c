"""Many rows at once: written by one COPY, and different values for many in one UPDATE."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import AutoField, BooleanField, CharField, ForeignKey, IntegerField, JSONField, Model, TextField
from django.db.models.expressions import DatabaseDefault, RawSQL

CHUNK_ROWS: Final = 500
# Fewer cost less in one INSERT.
COPIED_ROWS: Final = 100
_IDS: Final = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
T = TypeVar("T")
M = TypeVar("M", bound=Model)

# A CASE with a branch a row costs a hundred times as much: the values go as one parameter, looked up by id.
_POSTGRESQL: Final = (
    "CASE WHEN jsonb_exists(%s::jsonb, {id}::text) THEN (%s::jsonb {arrow} {id}::text)::{type} ELSE {column} END"
)
_SQLITE: Final = (
    "CASE WHEN json_type(%s, '$.\"' || {id} || '\"') IS NULL THEN {column} ELSE %s {arrow} ('$.\"' || {id} || '\"') END"
)


def chunks(rows: Sequence[T], size: int = CHUNK_ROWS) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for circles of garbage meanwhile: it would walk, again and again, thousands of rows that all stay."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def insert(model: type[M], rows: Sequence[M]) -> list[M]:
    """Insert rows, all of one making; they get their ids. What the database fills in by itself it fills in.

    On PostgreSQL many go by COPY, which costs a third of the INSERTs.
    """
    if connection.vendor != "postgresql" or len(rows) < COPIED_ROWS:
        return model._default_manager.bulk_create(rows, batch_size=CHUNK_ROWS)
    given = [row for row in rows if row.pk is None]
    with connection.cursor() as cursor:
        cursor.execute(_IDS, [model._meta.db_table, model._meta.pk.column, len(given)])
        for row, (number,) in zip(given, cursor.fetchall(), strict=True):
            row.pk = number
    names = [field.attname for field in model._meta.concrete_fields if not _left_to_it(field, rows[0])]
    columns = attrgetter(*names)
    _copy(model, names, (columns(row) for row in rows))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
    return list(rows)


def copy(model: type[Model], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of which nobody needs to know the ids, by the values of these columns."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        _copy(model, names, rows)
    else:
        made = [model(**dict(zip(names, row, strict=True))) for row in rows]
        model._default_manager.bulk_create(made, batch_size=CHUNK_ROWS)


def _copy(model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    quote = connection.ops.quote_name
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    ways = [(n, way) for n, field in enumerate(fields) if (way := _way(field)) is not None]
    columns = ", ".join(quote(field.column) for field in fields)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN") as into,
    ):
        for row in rows:
            values = list(row)
            for n, way in ways:
                values[n] = way(values[n])
            into.write_row(values)


def _left_to_it(field: Any, row: Model) -> bool:
    return isinstance(getattr(row, field.attname), DatabaseDefault)


def _way(field: Any) -> Callable[[Any], Any] | None:
    """How a value of the field is sent, where not as it is. JSON goes as its text: the column reads it."""
    if isinstance(field, JSONField):
        return lambda value: None if value is None else json.dumps(value, cls=field.encoder)
    if isinstance(field, CharField | TextField | IntegerField | BooleanField | AutoField):
        return None
    if isinstance(field, ForeignKey):
        return _way(field.target_field)
    return lambda value: field.get_db_prep_save(value, connection)


def update(model: type[Model], fields: Mapping[int, Mapping[str, Any]], **shared: Any) -> None:
    """Write ``{row: {column: value}}``, each row naming the same columns, and ``shared`` to all of them.

    On PostgreSQL in one statement: the values travel as arrays, and are joined by the row's id.
    """
    if not fields:
        return
    if connection.vendor != "postgresql":
        for chunk in chunks(list(fields)):
            own = {pk: fields[pk] for pk in chunk}
            model._default_manager.filter(pk__in=chunk).update(**cases(model, own), **shared)
        return
    quote = connection.ops.quote_name
    names: list[Any] = [model._meta.get_field(name) for name in next(iter(fields.values()))]
    columns = [(quote(field.column), str(field.db_type(connection)), field.attname) for field in names]
    told: dict[str, Any] = {name: model._meta.get_field(name) for name in shared}
    plain = {quote(told[name].column): value for name, value in shared.items()}
    sets = [f"{column} = given.v{n}::{kind}" for n, (column, kind, _) in enumerate(columns)]
    arrays = ", ".join(["%s::bigint[]", *("%s::text[]" for _ in columns)])
    given = ", ".join(["id", *(f"v{n}" for n in range(len(columns)))])
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    statement = (
        f"UPDATE {table} SET {', '.join([*sets, *(f'{column} = %s' for column in plain)])}"
        f" FROM unnest({arrays}) AS given({given}) WHERE {table}.{key} = given.id"
    )
    values = [[_text(field, row[field.attname]) for row in fields.values()] for field in names]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*plain.values(), list(fields), *values])


def _text(field: Any, value: Any) -> str | None:
    if isinstance(field, JSONField):
        return json.dumps(value)
    return None if value is None else str(value)


def cases(model: type[Model], fields: Mapping[int, Mapping[str, Any]]) -> dict[str, RawSQL]:
    """What ``update`` takes to write ``{row: {column: value}}``; a column that a row does not name keeps its value.

    For texts, numbers and JSON: what a JSON document can hold.
    """
    columns: dict[str, dict[str, Any]] = {}
    for pk, values in fields.items():
        for name, value in values.items():
            columns.setdefault(name, {})[str(pk)] = value
    return {name: _lookup(model, name, values) for name, values in columns.items()}


def _lookup(model: type[Model], name: str, values: dict[str, Any]) -> RawSQL:
    field: Any = model._meta.get_field(name)
    postgresql = connection.vendor == "postgresql"
    quote = connection.ops.quote_name
    statement = (_POSTGRESQL if postgresql else _SQLITE).format(
        id=quote(str(model._meta.pk.column)),
        column=quote(field.column),
        arrow="->" if isinstance(field, JSONField) else "->>",
        type=field.db_type(connection),
    )
    written = json.dumps(values)
    return RawSQL(statement, [written, written], output_field=field)
