"""Every kind of drift, object by object, is found. The table goes to ``test-results/drift-<engine>.txt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard import history, manifest, structure
from portal.core.guard.answer import Answer, judge
from portal.core.guard.compare import Change, Difference, Weight, differences
from portal.core.guard.manifest import Manifest
from tests.portal.core.guard import alterations
from tests.portal.core.guard.alterations import Alteration
from tests.portal.core.guard.databases import ROOT, Database

Found = tuple[Alteration, list[Difference]]


class Rejected(Exception):
    """The engine itself does not allow the alteration."""


def _kept(connection: BaseDatabaseWrapper) -> dict[str, list[str]]:
    if connection.vendor != "sqlite":
        return {}
    kept: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type <> 'table', name")
        for table, sql in cursor.fetchall():
            kept.setdefault(table, []).append(sql)
    return kept


def _altered(connection: BaseDatabaseWrapper, expected: Manifest, alteration: Alteration) -> list[Difference]:
    """What the guard sees of ``alteration``, which is rolled back."""
    try:
        with transaction.atomic(using=connection.alias):
            with connection.cursor() as cursor:
                for statement in alteration.statements:
                    try:
                        cursor.execute(statement)
                    except Error as error:
                        raise Rejected(str(error)) from error
            live = structure.read(connection)
            transaction.set_rollback(True, using=connection.alias)
    except Rejected:
        return []
    return differences(expected, live) or [Difference("nothing", Change.CHANGED, "", "", "", "")]


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
    for alteration in alterations.of(engine, expected, _kept(connection)):
        found = _altered(connection, expected, alteration)
        if not found:
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
    assert not lost, lost[:5]
    assert _all(expected) <= missing, sorted(_all(expected) - missing)[:10]
    assert _parts(expected) <= changed, sorted(_parts(expected) - changed)[:10]
    assert structure.read(connection) == expected.structure, "the alterations left something behind"


def _names(alteration: Alteration, found: list[Difference]) -> bool:
    """Whether the report names the thing that was altered, with the weight it has to have."""
    plain_index = (alteration.what, alteration.change) == ("Index", "extra")
    weight = Weight.WARN if plain_index else Weight.REFUSE
    for row in found:
        same = row.place == alteration.place or (alteration.place.endswith(".check") and ".check " in row.place)
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
            "ALTER TABLE workers_job DROP CONSTRAINT workers_job_state",
            f'ALTER TABLE workers_job ADD CONSTRAINT "workers_job_state" '
            f"{expected.structure.tables['workers_job'].constraints['workers_job_state'].definition}",
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
