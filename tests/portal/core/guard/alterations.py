"""Every way in which a hand can change a database, generated from the manifest, per engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from portal.core.guard.manifest import Manifest
from portal.core.guard.structure import Column, Table

EXTRA = "by_hand"


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change: what kind of thing, which change, where, and the statements that make it."""

    what: str
    change: str
    place: str
    statements: tuple[str, ...]

    @property
    def kind(self) -> str:
        return f"{self.what} {self.change}"


def of(engine: str, manifest: Manifest, kept: dict[str, list[str]]) -> Iterator[Alteration]:
    """All alterations; ``kept`` has the statements that SQLite keeps, by table, the table's own first."""
    for name, table in sorted(manifest.structure.tables.items()):
        if engine == "postgresql":
            yield from _postgresql(name, table)
        else:
            yield from _sqlite(name, table, kept[name])
        yield from _extras(engine, name, table)


def _extras(engine: str, name: str, table: Table) -> Iterator[Alteration]:
    column = sorted(table.columns)[0]
    # Of its own name: indexes and functions of all tables share one space.
    extra = f"{EXTRA}_{name}"[:60]
    yield Alteration("Column", "extra", f"{name}.{extra}", (f'ALTER TABLE "{name}" ADD COLUMN {extra} integer',))
    yield Alteration("Index", "extra", f"{name}.{extra}", (f'CREATE INDEX {extra} ON "{name}" ("{column}")',))
    unique = f'CREATE UNIQUE INDEX {extra} ON "{name}" ("{column}") WHERE false'
    yield Alteration("Index", "extra, unique", f"{name}.{extra}", (unique,))
    if engine == "postgresql":
        function = f"CREATE FUNCTION {extra}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        trigger = f'CREATE TRIGGER {extra} BEFORE INSERT ON "{name}" FOR EACH ROW EXECUTE FUNCTION {extra}()'
        yield Alteration("Trigger", "extra", f"{name}.{extra}", (function, trigger))
        check = f'ALTER TABLE "{name}" ADD CONSTRAINT {extra} CHECK (1 = 1)'
        yield Alteration("Constraint", "extra", f"{name}.{extra}", (check,))
    else:
        trigger = f'CREATE TRIGGER {extra} BEFORE INSERT ON "{name}" BEGIN SELECT 1; END'
        yield Alteration("Trigger", "extra", f"{name}.{extra}", (trigger,))


def _postgresql(name: str, table: Table) -> Iterator[Alteration]:
    on = f'ALTER TABLE "{name}"'
    yield Alteration("Table", "missing", name, (f'DROP TABLE "{name}" CASCADE',))
    yield Alteration("Table", "changed", name, (f"{on} ENABLE ROW LEVEL SECURITY",))
    for key, column in table.columns.items():
        yield Alteration("Column", "missing", f"{name}.{key}", (f'{on} DROP COLUMN "{key}" CASCADE',))
        for change, action in _column_changes(column):
            statement = f'{on} ALTER COLUMN "{key}" {action}'
            yield Alteration("Column", f"changed ({change})", f"{name}.{key}", (statement,))
    for key, constraint in table.constraints.items():
        drop = f'{on} DROP CONSTRAINT "{key}" CASCADE'
        yield Alteration("Constraint", "missing", f"{name}.{key}", (drop,))
        other = _other_constraint(constraint.definition)
        again = f'{on} ADD CONSTRAINT "{key}" {other}'
        yield Alteration("Constraint", "changed", f"{name}.{key}", (drop, again))
        if constraint.definition.startswith("FOREIGN"):
            yield Alteration("Constraint", "changed (off)", f"{name}.{key}", (f"{on} DISABLE TRIGGER ALL",))
    for key, index in table.indexes.items():
        drop = f'DROP INDEX "{key}"'
        yield Alteration("Index", "missing", f"{name}.{key}", (drop,))
        yield Alteration("Index", "changed", f"{name}.{key}", (drop, _other_index(index.definition)))
    for key in table.triggers:
        yield Alteration("Trigger", "missing", f"{name}.{key}", (f'DROP TRIGGER "{key}" ON "{name}"',))
        off = f'{on} DISABLE TRIGGER "{key}"'
        yield Alteration("Trigger", "changed (off)", f"{name}.{key}", (off,))
        function = re.search(r"FUNCTION (\w+)\(\)", table.triggers[key].definition)
        assert function is not None
        body = f"CREATE OR REPLACE FUNCTION {function[1]}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        yield Alteration("Trigger", "changed (body)", f"{name}.{key}", (body,))


def _column_changes(column: Column) -> Iterator[tuple[str, str]]:
    types = {
        "bigint": "integer",
        "integer": "bigint",
        "smallint": "integer",
        "text": "varchar(77)",
        "date": "timestamptz",
    }
    types |= {"jsonb": "json", "timestamp with time zone": "timestamp", "double precision": "real", "uuid": "text"}
    length = re.fullmatch(r"character varying\((\d+)\)", column.type)
    if length:
        yield "type", f"TYPE varchar({int(length[1]) + 1})"
    elif column.type in types:
        yield "type", f"TYPE {types[column.type]}"
    yield "null", ("SET" if column.nullable else "DROP") + " NOT NULL"
    if column.identity:
        yield "default", "DROP IDENTITY"
    elif column.default:
        yield "default", "DROP DEFAULT"
    elif not column.generated:
        yield "default", f"SET DEFAULT {_default_for(column.type)}"
    if column.generated:
        yield "default", "DROP EXPRESSION"


def _default_for(kind: str) -> str:
    known = {"boolean": "true", "jsonb": "'[7]'", "timestamp with time zone": "now()", "date": "now()", "inet": "'::1'"}
    known |= {"bigint": "7", "integer": "7", "smallint": "7", "double precision": "7"}
    return known.get(kind, "'by hand'")


def _other_constraint(definition: str) -> str:
    if definition.startswith("CHECK"):
        return "CHECK (true)"
    if definition.startswith("FOREIGN"):
        return definition.replace(" DEFERRABLE INITIALLY DEFERRED", "")
    if definition.startswith("PRIMARY KEY"):
        return definition.replace("PRIMARY KEY", "UNIQUE")
    return definition.replace("UNIQUE (", "UNIQUE NULLS NOT DISTINCT (")


def _other_index(definition: str) -> str:
    head, where, _ = definition.partition(" WHERE ")
    return head if where else f"{head} WHERE false"


def _sqlite(name: str, table: Table, kept: list[str]) -> Iterator[Alteration]:
    own, rest = kept[0], kept[1:]
    items, tail = split(own)

    def remade(change: str, position: int, item: str | None) -> tuple[str, ...]:
        new = [*items[:position], *([item] if item is not None else []), *items[position + 1 :]]
        dropped = _named(items[position]) if item is None else ""
        if dropped:
            new = [other for other in new if not _is_table_item(other) or f'"{dropped}"' not in other]
        others = [sql for sql in rest if not dropped or f'"{dropped}"' not in sql]
        return (f'DROP TABLE "{name}"', f'CREATE TABLE "{name}" ({", ".join(new)}){tail}', *others)

    yield Alteration("Table", "missing", name, (f'DROP TABLE "{name}"',))
    strict = f'CREATE TABLE "{name}" ({", ".join(items)}) WITHOUT ROWID'
    if "AUTOINCREMENT" not in own:
        yield Alteration("Table", "changed", name, (f'DROP TABLE "{name}"', strict, *rest))
    for position, item in enumerate(items):
        if _is_table_item(item):
            for change, other in _item_changes(item):
                yield Alteration(
                    "Constraint", change, f"{name}.{_constraint_named(item)}", remade(change, position, other)
                )
            continue
        column = _named(item)
        yield Alteration("Column", "missing", f"{name}.{column}", remade("missing", position, None))
        for change, other in _sqlite_column_changes(item):
            yield Alteration("Column", f"changed ({change})", f"{name}.{column}", remade(change, position, other))
        for what, change, other in _inline_changes(column, item):
            yield Alteration("Constraint", change, f"{name}.{what}", remade(change, position, other))
    check = [*items, f"CONSTRAINT {EXTRA} CHECK (1 = 1)"]
    added = (f'DROP TABLE "{name}"', f'CREATE TABLE "{name}" ({", ".join(check)}){tail}', *rest)
    yield Alteration("Constraint", "extra", f"{name}.{EXTRA}", added)
    yield from _sqlite_beside(name, table, rest)


def _sqlite_beside(name: str, table: Table, rest: list[str]) -> Iterator[Alteration]:
    for key in table.indexes:
        own = next(sql for sql in rest if re.search(rf'INDEX "?{key}"? ON', sql))
        yield Alteration("Index", "missing", f"{name}.{key}", (f'DROP INDEX "{key}"',))
        yield Alteration("Index", "changed", f"{name}.{key}", (f'DROP INDEX "{key}"', _other_index(own)))
    for key in table.triggers:
        own = next(sql for sql in rest if re.search(rf'TRIGGER "?{key}"? ', sql))
        yield Alteration("Trigger", "missing", f"{name}.{key}", (f'DROP TRIGGER "{key}"',))
        changed = own.replace("ABORT", "FAIL")
        assert changed != own
        yield Alteration("Trigger", "changed (body)", f"{name}.{key}", (f'DROP TRIGGER "{key}"', changed))


def _item_changes(item: str) -> Iterator[tuple[str, str | None]]:
    yield "missing", None
    if " CHECK " in item:
        yield "changed", re.sub(r" CHECK .*", " CHECK (1 = 1)", item, flags=re.DOTALL)
    elif item.startswith("PRIMARY KEY"):
        yield "changed", f"{item} ON CONFLICT IGNORE"
    elif " UNIQUE (" in item:
        yield (
            "changed",
            item.replace(" UNIQUE (", ' UNIQUE ("id", ', 1) if '("id"' not in item else f"{item} ON CONFLICT IGNORE",
        )
    else:
        yield "changed", item.replace(" DEFERRABLE INITIALLY DEFERRED", "")


def _sqlite_column_changes(item: str) -> Iterator[tuple[str, str]]:
    if "PRIMARY KEY" not in item:
        yield "type", re.sub(r'^("\w+") [\w ]+?(\([\d, ]+\))?(?= (?:NOT NULL|NULL|DEFAULT))', r"\1 money", item)
    yield "null", item.replace(" NOT NULL", " NULL") if " NOT NULL" in item else item.replace(" NULL", " NOT NULL", 1)
    if " DEFAULT " in item:
        yield "default", re.sub(r" DEFAULT (\([^()]*(\([^()]*\))?[^()]*\)|'[^']*'|[\w.]+)", "", item)
    elif "PRIMARY KEY" not in item:
        yield "default", f"{item} DEFAULT 'by hand'"


def _inline_changes(column: str, item: str) -> Iterator[tuple[str, str, str]]:
    """Each constraint inside a column's definition: its name in the manifest, the change, the new definition."""
    if " AUTOINCREMENT" in item:
        yield f"primary key ({column})", "changed", item.replace(" AUTOINCREMENT", "")
    if " PRIMARY KEY" in item:
        yield f"primary key ({column})", "missing", item.replace(" AUTOINCREMENT", "").replace(" PRIMARY KEY", "")
    if " UNIQUE" in item:
        yield f"unique ({column})", "missing", item.replace(" UNIQUE", "")
        yield f"unique ({column})", "changed", item.replace(" UNIQUE", " UNIQUE ON CONFLICT IGNORE")
    if " REFERENCES " in item:
        yield f"foreign key ({column})", "missing", re.sub(r" REFERENCES .*", "", item)
        yield f"foreign key ({column})", "changed", item.replace(" DEFERRABLE INITIALLY DEFERRED", "")
    if " CHECK " in item:
        yield "check", "missing", re.sub(r" CHECK \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "", item)


def _is_table_item(item: str) -> bool:
    return item.startswith(("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"))


def _named(item: str) -> str:
    return item.split('"')[1] if item.startswith('"') else ""


def _constraint_named(item: str) -> str:
    if item.startswith("CONSTRAINT"):
        return item.split('"')[1]
    return item.lower().replace('"', "")


def split(sql: str) -> tuple[list[str], str]:
    """A CREATE TABLE statement's items and what follows its last bracket, by counting brackets alone."""
    start = sql.index("(")
    depth, quoted, items, item = 0, "", [], ""
    for position in range(start, len(sql)):
        letter = sql[position]
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "'\"":
            quoted = letter
        elif letter == "(":
            depth += 1
            if depth == 1:
                continue
        elif letter == ")":
            depth -= 1
            if depth == 0:
                return [*items, item.strip()], sql[position + 1 :]
        if letter == "," and depth == 1 and not quoted:
            items.append(item.strip())
            item = ""
        else:
            item += letter
    raise AssertionError(sql)
