"""The live structure on SQLite: one pragma for all columns, the kept statements for the rest."""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard import ddl
from portal.core.guard.structure import Column, Index, Structure, Table, Trigger, digest_of

_KEPT: Final = """
SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""

_COLUMNS: Final = """
SELECT m.name, x.name, lower(x.type), x."notnull", coalesce(x.dflt_value, ''), x.hidden
FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x WHERE m.type = 'table'
"""


def read(connection: BaseDatabaseWrapper) -> Structure:
    """The tables of the main database; raises ``django.db.Error``."""
    with connection.cursor() as cursor:
        kept = list(cursor.execute(_KEPT).fetchall())
        columns = list(cursor.execute(_COLUMNS).fetchall())
    tables: dict[str, dict[str, Any]] = {}
    said: dict[str, ddl.Declared] = {}
    for kind, name, _, sql in kept:
        if kind == "table" and sql[:12].upper() == "CREATE TABLE":
            said[name] = ddl.declared(sql)
            tables[name] = {"columns": {}, "indexes": {}, "triggers": {}}
            tables[name] |= {"options": said[name].options, "constraints": said[name].constraints}
    for table, name, *column in columns:
        if table in tables:
            tables[table]["columns"][name] = _column(said[table], name.lower(), *column)
    for kind, name, table, sql in kept:
        if kind == "index" and table in tables:
            tables[table]["indexes"][name] = Index(ddl.canonical(sql))
        elif kind == "trigger" and table in tables:
            tables[table]["triggers"][name] = _trigger(sql)
    return Structure({name: Table(**parts) for name, parts in tables.items()})


def _column(said: ddl.Declared, name: str, kind: str, filled: int, default: str, hidden: int) -> Column:
    generated = said.generated.get(name, "") if hidden else ""
    return Column(kind, not filled, ddl.canonical(default), generated, collation=said.collations.get(name, ""))


def _trigger(sql: str) -> Trigger:
    parts = ddl.words(sql)
    head = parts[: parts.index("begin")] if "begin" in parts else parts
    return Trigger(ddl.sentence(head), digest_of(ddl.sentence(parts)))
