"""Every kind of drift, object by object, is found. The table goes to ``test-results/drift-<engine>.txt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import pytest
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard import history, manifest, mending, structure
from portal.core.guard.answer import Answer, judge
from portal.core.guard.compare import Change, Difference, Weight, differences
from portal.core.guard.manifest import Manifest
from tests.portal.core.guard import alterations
from tests.portal.core.guard.alterations import Alteration
from tests.portal.core.guard.databases import ROOT, Database

Found = tuple[Alteration, list[Difference]]


def _kept(connection: BaseDatabaseWrapper) -> dict[str, list[str]]:
    if connection.vendor != "sqlite":
        return {}
    kept: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type <> 'table', name")
        for table, sql in cursor.fetchall():
            kept.setdefault(table, []).append(sql)
    return kept


def _altered(connection: BaseDatabaseWrapper, expected: Manifest, round: Sequence[Alteration]) -> list[Found]:
    """What the guard sees of all these alterations at once, rolled back; those that the engine refused are left out."""
    made: list[Alteration] = []
    with transaction.atomic(using=connection.alias):
        for alteration in round:
            try:
                with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                    for statement in alteration.statements:
                        cursor.execute(statement)
            except Error:
                continue
            made.append(alteration)
        live = structure.read(connection) if made else expected.structure
        transaction.set_rollback(True, using=connection.alias)
    found = differences(expected, live)
    return [(alteration, found) for alteration in made]


def _rounds(every: Iterable[Alteration]) -> list[list[Alteration]]:
    """One alteration of each table a round: two thousand looks at the structure become some sixty.

    Tables are dropped one by one, since that takes what refers to them along.
    """
    alone: list[list[Alteration]] = []
    by_table: dict[str, list[Alteration]] = {}
    for alteration in every:
        if alteration.what == "Table":
            alone.append([alteration])
        else:
            by_table.setdefault(alteration.place.partition(".")[0], []).append(alteration)
    together = [[item for item in row if item is not None] for row in zip_longest(*by_table.values())]
    return alone + together


@pytest.fixture
def connection(own: Database) -> Iterator[BaseDatabaseWrapper]:
    with own.connected() as connected:
        connected.ensure_connection()
        if connected.vendor == "sqlite":
            with connected.cursor() as cursor:
                cursor.execute("PRAGMA foreign_keys = OFF")
        yield connected


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_kind_of_drift_is_found(connection: BaseDatabaseWrapper, engine: str) -> None:
    expected = manifest.load(engine)
    count, seen, rejected = Counter[str](), Counter[str](), Counter[str]()
    missing, changed, lost = set[tuple[str, str]](), set[tuple[str, str]](), list[Alteration]()
    for round in _rounds(alterations.of(engine, expected, _kept(connection))):
        results = dict(_altered(connection, expected, round))
        for alteration in round:
            found = results.get(alteration, [])
            if len(round) > 1 and not _names(alteration, found):
                # Another of the round may stand in its way: alone, it has to be found or refused by the engine.
                results.pop(alteration, None)
                results |= dict(_altered(connection, expected, [alteration]))
                found = results.get(alteration, [])
            if alteration not in results:
                rejected[alteration.kind] += 1
                continue
            count[alteration.kind] += 1
            if _names(alteration, found):
                seen[alteration.kind] += 1
            else:
                lost.append(alteration)
            missing |= {(row.what, row.place) for row in found if row.change is Change.MISSING}
            changed |= {(row.what, row.place) for row in found if row.change is not Change.EXTRA}
    _write(engine, count, seen, rejected)
    assert not lost, [(item.kind, item.place, item.statements[:2]) for item in lost]
    assert _all(expected) <= missing, sorted(_all(expected) - missing)[:10]
    assert _parts(expected) <= changed, sorted(_parts(expected) - changed)[:10]
    assert structure.read(connection) == expected.structure, "the alterations left something behind"


def _names(alteration: Alteration, found: list[Difference]) -> bool:
    """Whether the report names the thing that was altered, with the weight it has to have."""
    plain_index = (alteration.what, alteration.change) == ("Index", "extra")
    weight = Weight.WARN if plain_index else Weight.REFUSE
    for row in found:
        same = row.place.replace('"', "") == alteration.place or (
            alteration.place.endswith(".check") and ".check " in row.place
        )
        if same and row.what == alteration.what and row.weight is weight:
            return True
    return False


def _all(expected: Manifest) -> set[tuple[str, str]]:
    return {("Table", name) for name in expected.structure.tables} | _parts(expected)


def _parts(expected: Manifest) -> set[tuple[str, str]]:
    parts = {"Column": "columns", "Constraint": "constraints", "Index": "indexes", "Trigger": "triggers"}
    return {
        (what, f"{name}.{key}")
        for name, table in expected.structure.tables.items()
        for what, part in parts.items()
        for key in getattr(table, part)
    }


def _write(engine: str, count: Counter[str], seen: Counter[str], rejected: Counter[str]) -> None:
    lines = [f"{'drift':<28}{'made':>8}{'found':>8}{'refused by the engine':>24}"]
    for kind in sorted(count | rejected):
        lines.append(f"{kind:<28}{count[kind]:>8}{seen[kind]:>8}{rejected[kind]:>24}")
    lines.append(f"{'all':<28}{count.total():>8}{seen.total():>8}{rejected.total():>24}")
    folder = ROOT / "test-results"
    folder.mkdir(exist_ok=True)
    (folder / f"drift-{engine}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n" + "\n".join(lines))


def test_any_refusal_refuses_the_answer(connection: BaseDatabaseWrapper, engine: str) -> None:
    expected, code = manifest.load(engine), history.code()
    live = structure.read(connection)
    applied = history.applied(connection, live)
    assert judge(engine, "x", code, expected, live, applied).answer is Answer.START
    for name, table in live.tables.items():
        without = structure.Structure({key: item for key, item in live.tables.items() if key != name})
        answer = judge(engine, "x", code, expected, without, applied)
        assert (answer.answer, answer.code) == (Answer.REFUSE, "schema_drift"), name
        assert table.columns


def test_order_says_nothing(connection: BaseDatabaseWrapper, engine: str) -> None:
    """The same table with its columns and constraints the other way round is the same table."""
    expected = manifest.load(engine)
    if engine == "postgresql":
        statements = (
            "DROP INDEX workers_job_due",
            expected.structure.tables["workers_job"].indexes["workers_job_due"].definition,
            "ALTER TABLE core_secret DROP COLUMN sealed",
            "ALTER TABLE core_secret ADD COLUMN sealed text NOT NULL",
        )
    else:
        own, *rest = _kept(connection)["workers_job"]
        items, tail = alterations.split(own)
        columns = [item for item in items if item.startswith('"')][::-1]
        turned = ", ".join([*columns, *[item for item in items if not item.startswith('"')][::-1]])
        statements = ("DROP TABLE workers_job", f"CREATE TABLE workers_job ({turned}){tail}", *reversed(rest))
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        assert differences(expected, structure.read(connection)) == []
        transaction.set_rollback(True, using=connection.alias)


@pytest.mark.postgresql
def test_a_restored_dump_is_no_drift(connection: BaseDatabaseWrapper) -> None:
    """PostgreSQL prints some expressions otherwise once it has read them back, as a restore does."""
    expected = manifest.load("postgresql")
    checks = "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'"
    indexes = """SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)"""
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(f"{checks} AND connamespace = current_schema()::regnamespace")
            for table, name, definition in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
                cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
            cursor.execute(indexes)
            for name, definition in cursor.fetchall():
                cursor.execute(f'DROP INDEX "{name}"')
                cursor.execute(definition)
        live = structure.read(connection)
        transaction.set_rollback(True, using=connection.alias)
    assert differences(expected, live) == []


def test_the_statements_that_mend_do_mend(connection: BaseDatabaseWrapper, engine: str) -> None:
    """Each index and constraint that is lost comes back by the statement that the report shows."""
    expected = manifest.load(engine)
    tried = 0
    for name, table in expected.structure.tables.items():
        drops = [f'DROP INDEX "{key}"' for key in table.indexes]
        if engine == "postgresql":
            checks = [key for key, item in table.constraints.items() if not item.definition.startswith("PRIMARY")]
            drops += [f'ALTER TABLE "{name}" DROP CONSTRAINT "{key}" CASCADE' for key in checks]
        with transaction.atomic(using=connection.alias):
            with connection.cursor() as cursor:
                for statement in drops:
                    cursor.execute(statement)
                lost = differences(expected, structure.read(connection))
                # Unique ones first: foreign keys of other tables stand on them.
                for row in sorted(lost, key=lambda row: "UNIQUE" not in row.expects):
                    cursor.execute(mending.statement(engine, row).replace("%", "%%"))
                    tried += 1
            live = structure.read(connection)
            transaction.set_rollback(True, using=connection.alias)
        assert differences(expected, live) == [], name
    assert tried > 50
