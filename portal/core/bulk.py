"""Many rows at once: written by one COPY, and different values for many in one UPDATE."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import (
    AutoField,
    BooleanField,
    CharField,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.base import ModelState
from django.db.models.expressions import DatabaseDefault, RawSQL
from django.db.models.fields import NOT_PROVIDED

CHUNK_ROWS: Final = 500
# Fewer cost less in one INSERT.
COPIED_ROWS: Final = 100
_IDS: Final = (
    "WITH named AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, %s)::regclass AS sequence)"
    " SELECT nextval(sequence) FROM named, generate_series(1, %s)"
)
# Most lists and dictionaries of most rows are empty.
_EMPTY: Final[dict[type, str]] = {dict: "{}", list: "[]"}
_JSON: Final = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
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


def blanks(model: type[M]) -> Callable[..., M]:
    """What makes rows as ``model(...)`` does, from values by column, without asking each field of each row."""
    fixed: dict[str, Any] = {}
    fresh: list[tuple[str, Callable[[], Any]]] = []
    for field in model._meta.concrete_fields:
        default: Any = field.default
        if default is not NOT_PROVIDED and callable(default):
            fresh.append((field.attname, default))
        else:
            fixed[field.attname] = field.get_default()

    def blank(**values: Any) -> M:
        row = model.__new__(model)
        row.__dict__.update(fixed, **{name: default() for name, default in fresh if name not in values}, **values)
        row._state = ModelState()
        return row

    return blank


def read(rows: QuerySet[M], names: Sequence[str]) -> list[M]:
    """The rows with these columns, as ``only`` gives them, at a fraction of its cost; other columns are deferred."""
    found = []
    for values in rows.values_list(*names):
        row = rows.model.__new__(rows.model)
        row.__dict__.update(zip(names, values, strict=True))
        row._state = ModelState()
        row._state.adding, row._state.db = False, connection.alias
        found.append(row)
    return found


def insert(model: type[M], rows: Sequence[M], *, numbered: bool = True) -> list[M]:
    """Insert rows, all of one making; they get their ids. What the database fills in by itself it fills in.

    On PostgreSQL many go by COPY, which costs a third of the INSERTs; where nobody needs their ids, not ``numbered``.
    """
    if connection.vendor != "postgresql" or len(rows) < COPIED_ROWS:
        return model._default_manager.bulk_create(rows, batch_size=CHUNK_ROWS)
    left = [field for field in model._meta.concrete_fields if not _left_to_it(field, rows[0])]
    if numbered:
        given = [row for row in rows if row.pk is None]
        for row, number in zip(given, ids(model, len(given)), strict=True):
            row.pk = number
    else:
        left.remove(model._meta.pk)
    names = [field.attname for field in left]
    columns = attrgetter(*names)
    _copy(model, names, (columns(row) for row in rows))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
    return list(rows)


def ids(model: type[Model], count: int) -> list[int]:
    """Numbers for as many new rows. PostgreSQL alone gives them before the rows are there."""
    with connection.cursor() as cursor:
        cursor.execute(_IDS, [model._meta.db_table, model._meta.pk.column, count])
        return [number for (number,) in cursor.fetchall()]


def copy(model: type[Model], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of which nobody needs to know the ids, by the values of these columns."""
    if not rows:
        return
    if connection.vendor == "postgresql" and len(rows) >= COPIED_ROWS:
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
        return partial(_written, field.encoder)
    if isinstance(field, CharField | TextField | IntegerField | BooleanField | AutoField):
        return None
    if isinstance(field, ForeignKey):
        return _way(field.target_field)
    return lambda value: field.get_db_prep_save(value, connection)


def _written(encoder: type[json.JSONEncoder] | None, value: Any) -> str | None:
    if value is None:
        return None
    if not value and type(value) in _EMPTY:
        return _EMPTY[type(value)]
    return _JSON(value) if encoder is None else json.dumps(value, cls=encoder)


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
