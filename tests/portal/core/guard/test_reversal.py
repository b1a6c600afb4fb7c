"""Forward, backward, forward: the same structure, and the rows of all that both sides have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from pytest_django import DjangoDbBlocker

from portal.core.guard import history, structure
from portal.core.guard.structure import Structure
from portal.site.rehearsing import rounds
from tests.portal.core.guard.databases import Database, Ground

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OURS = ("core", "live", "workers", "tickets", "reviews", "deployments")
FILL = """
import django; django.setup()
from tests import factories
from portal.core.models import Activity
factories.world()
Activity.objects.create(actor_kind="user", actor_label="x", verb="a.b", subject="ticket:MC-1", request_id="r1")
"""
# Written by the migrate step itself.
OWN_RECORDS = {"django_migrations", "core_appliedmigration", "django_content_type", "auth_permission"}
LATER = sorted(key for key in history.on_disk() if key[0] in OURS and not key[1].startswith("0001"))


@pytest.fixture(scope="module")
def rows_in(ground: Ground, django_db_blocker: DjangoDbBlocker) -> Database:
    with django_db_blocker.unblock():
        made = ground.migrated()
    done = made.run(sys.executable, "-c", FILL)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def filled(ground: Ground, rows_in: Database, unblocked: None) -> Database:
    """A migrated database with rows, of this test alone."""
    return ground.copy(rows_in)


def rows(connection: BaseDatabaseWrapper, of: Structure) -> dict[str, list[dict[str, Any]]]:
    found = {}
    with connection.cursor() as cursor:
        for name in sorted(set(of.tables) - OWN_RECORDS):
            cursor.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            found[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return found


def kept(found: dict[str, list[dict[str, Any]]], between: Structure) -> dict[str, list[str]]:
    """The part of ``found`` that has a place in ``between``, in an order of its own."""
    return {
        name: sorted(
            repr(sorted((key, row[key]) for key in between.tables[name].columns if key in row)) for row in table
        )
        for name, table in found.items()
        if name in between.tables
    }


def test_each_migration_goes_back_and_forward_with_its_rows(ground: Ground, filled: Database) -> None:
    """Step by step down to where each app began, and up again: at each step the structure and the rows are as before.

    Rows of every column that both sides of a step have; what a step takes away does not come back. From where they
    began, the apps go to nothing and come again: each step takes, and brings, the app's own tables as they were.
    """
    with filled.connected() as connection:
        before = structure.read(connection)
        had = rows(connection, before)
        assert len(had["core_user"]) == 7 and len(had["core_activity"]) == 1
        # of each step back: what was there before it, and what is there after it
        steps: dict[Key, tuple[Level, Level]] = {}
        levels: list[Level] = [(before, had)]

        def down(migration: Migration) -> None:
            key = (migration.app_label, migration.name)
            now = structure.read(connection)
            levels.append((now, rows(connection, now)))
            steps[key] = (levels[-2], levels[-1])
            assert kept(levels[-1][1], levels[-2][0]) == kept(levels[-2][1], now), f"{key} backward"

        def up(key: Key) -> None:
            """Of the app alone: Django takes the apps in another order than on the way back."""
            now, (upper, lower) = structure.read(connection), steps[key]
            assert of(key[0], now) == of(key[0], upper[0]), f"{key} forward"
            held = {name: table for name, table in lower[1].items() if name in of(key[0], now)}
            assert kept(rows(connection, now), lower[0]).items() >= kept(held, now).items(), f"{key} forward"

        rounds.backward(connection, beginnings(), after_each=down)
        assert steps.keys() == set(LATER)
    to_nothing_and_back(ground.copy(filled), levels[-1][0])
    with filled.connected() as connection:
        migrate(connection, MigrationExecutor(connection).loader.graph.leaf_nodes(), after_each=up)
        assert structure.read(connection) == before


Level = tuple[Structure, dict[str, list[dict[str, Any]]]]
Key = tuple[str, str]


def migrate(
    connection: BaseDatabaseWrapper, targets: Sequence[tuple[str, str | None]], after_each: Callable[[Key], None]
) -> None:
    """As the migrate step does it, with a look after each migration: its state is computed once for all of them."""

    def progress(said: str, migration: Migration | None = None, fake: bool = False) -> None:
        if migration is not None and said.endswith("_success"):
            after_each((migration.app_label, migration.name))

    MigrationExecutor(connection, progress).migrate(list(targets))


def beginnings() -> list[Key]:
    return [(app, next(name for label, name in sorted(history.on_disk()) if label == app)) for app in OURS]


def to_nothing_and_back(database: Database, before: Structure) -> None:
    """Of a database where each app stands at its first migration."""
    with database.connected() as connection:
        assert (now := structure.read(connection)) == before
        for app in reversed(OURS):
            rounds.backward(connection, [(app, None)])
            earlier, now = now, structure.read(connection)
            assert of(app, now) == {}
            gone = earlier.tables.keys() - now.tables.keys()
            # the tables of libraries that refer to people go with the core
            assert app == "core" or gone == of(app, before).keys()
            assert {name: earlier.tables[name] for name in now.tables} == now.tables
        for key in beginnings():
            migrate(connection, [key], after_each=lambda key: None)
            assert of(key[0], structure.read(connection)) == of(key[0], before)


def of(app: str, found: Structure) -> dict[str, Any]:
    return {name: table for name, table in found.tables.items() if name.startswith(f"{app}_")}


SEVERAL = """
import django; django.setup()
from tests.tickets import build
from tickets.models import Project, Question
turn = build.turn(build.ticket(Project.objects.get()))
for n, state in ((1, "set_aside"), (2, "open")):
    Question.objects.create(ticket=turn.ticket, turn=turn, n=n, state=state, text=f"Question {n}")
"""


def test_of_several_questions_of_a_turn_the_last_one_goes_back(filled: Database) -> None:
    done = filled.run(sys.executable, "-c", SEVERAL)
    assert done.returncode == 0, done.stderr
    with filled.connected() as connection:
        before = structure.read(connection)
        rounds.backward(connection, [("tickets", "0004_turn_credentials")])
        (row,) = rows(connection, structure.read(connection))["tickets_question"]
        assert (row["text"], row["state"]) == ("Question 2", "open")
        call_command("migrate", database="own", verbosity=0)
        assert structure.read(connection) == before
