"""The live structure on PostgreSQL 15 to 18, from pg_catalog, in five statements.

Not information_schema: it knows neither partial indexes nor expressions. NOT
NULL is read from the column alone, because PostgreSQL 18 also lists it among
the constraints. A constraint's own index is left out: the constraint says it.

PostgreSQL does not print an expression as it will print it after reading it
again: a list of texts moves its casts when a dump is restored. So casts to
text, and the brackets they leave, are dropped from CHECKs and indexes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard.structure import Column, Constraint, Index, Structure, Table, Trigger, digest_of

_SCHEMA: Final = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"

_TABLES: Final = f"""
SELECT relname, relpersistence, relrowsecurity FROM pg_class
WHERE relnamespace = {_SCHEMA} AND relkind IN ('r', 'p')
"""

_COLUMNS: Final = f"""
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attgenerated, a.attidentity,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname ELSE '' END
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = {_SCHEMA} AND c.relkind IN ('r', 'p')
"""

# A foreign key whose internal triggers are disabled still looks whole in pg_constraint.
_CONSTRAINTS: Final = f"""
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid),
       EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled = 'D')
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = {_SCHEMA} AND k.contype IN ('c', 'f', 'p', 'u', 'x')
"""

_INDEXES: Final = f"""
SELECT c.relname, x.relname,
       replace(pg_get_indexdef(i.indexrelid), quote_ident(current_schema()) || '.' || quote_ident(c.relname),
               quote_ident(c.relname)),
       i.indisvalid
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = {_SCHEMA} AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
"""

_TRIGGERS: Final = f"""
SELECT c.relname, g.tgname, pg_get_triggerdef(g.oid, true), g.tgenabled,
       p.prosrc, l.lanname, p.prosecdef, coalesce(p.proconfig::text, '')
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_proc p ON p.oid = g.tgfoid
JOIN pg_language l ON l.oid = p.prolang
WHERE c.relnamespace = {_SCHEMA} AND NOT g.tgisinternal
"""

_TEXT_CAST: Final = re.compile(r"('(?:[^']|'')*')|::(?:character varying|text)(?:\(\d+\))?(?:\[\])?")
_ATOM: Final = re.compile(r"(?:(?<=[(\[])|(?<=, ))\((\w+|'(?:[^']|'')*'|\"[^\"]+\")\)")
_LIST: Final = re.compile(r"\((\(ARRAY\[[^\]]*\]\))\)")
_IDENTITY: Final = {"": "", "a": "always", "d": "by default"}
_FIRES: Final = {"O": "", "D": " (disabled)", "A": " (always)", "R": " (replica only)"}


def read(connection: BaseDatabaseWrapper) -> Structure:
    """The tables of the current schema; raises ``django.db.Error``."""
    tables: dict[str, dict[str, Any]] = {}
    with connection.cursor() as cursor:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        for name, persistence, hidden in rows(_TABLES):
            options = " ".join(["unlogged"] * (persistence != "p") + ["row security"] * bool(hidden))
            tables[name] = {"options": options, "columns": {}, "constraints": {}, "indexes": {}, "triggers": {}}
        for table, name, *column in rows(_COLUMNS):
            tables[table]["columns"][name] = _column(*column)
        for table, name, definition, disabled in rows(_CONSTRAINTS):
            tables[table]["constraints"][name] = Constraint(settled(definition) + " (disabled)" * disabled)
        for table, name, definition, valid in rows(_INDEXES):
            tables[table]["indexes"][name] = Index(settled(definition) + " (invalid)" * (not valid))
        for table, name, definition, fires, source, *rest in rows(_TRIGGERS):
            said = _spaced(definition) + _FIRES.get(fires, f" ({fires})")
            tables[table]["triggers"][name] = Trigger(said, digest_of(repr((said, _spaced(source), *rest))))
    return Structure({name: Table(**parts) for name, parts in tables.items()})


def _column(kind: str, nullable: bool, default: str, generated: str, identity: str, collation: str) -> Column:
    if generated:
        storage = "stored" if generated == "s" else "virtual"
        return Column(kind, nullable, generated=f"{default} {storage}", collation=collation)
    return Column(kind, nullable, default=default, identity=_IDENTITY[identity], collation=collation)


def settled(definition: str) -> str:
    """A definition as it is before and after a dump and its restore."""
    text = _TEXT_CAST.sub(lambda match: match[1] or "", _spaced(definition))
    return _LIST.sub(r"\1", _ATOM.sub(r"\1", text))


def _spaced(text: str) -> str:
    return " ".join(text.split())
