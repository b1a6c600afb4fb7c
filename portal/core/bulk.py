"""Different values for many rows in one UPDATE."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import JSONField, Model
from django.db.models.expressions import RawSQL

CHUNK_ROWS: Final = 500
T = TypeVar("T")

# A CASE with a branch a row costs a hundred times as much: the values go as one parameter, looked up by id.
_POSTGRESQL: Final = (
    "CASE WHEN jsonb_exists(%s::jsonb, {id}::text) THEN (%s::jsonb {arrow} {id}::text)::{type} ELSE {column} END"
)
_SQLITE: Final = (
    "CASE WHEN json_type(%s, '$.\"' || {id} || '\"') IS NULL THEN {column} ELSE %s {arrow} ('$.\"' || {id} || '\"') END"
)


def chunks(rows: Sequence[T], size: int = CHUNK_ROWS) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


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
