"""Forward, backward, forward: the same structure, and the rows of all that both sides have."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import DjangoDbBlocker

from portal.core.guard import history, structure
from portal.core.guard.structure import Structure
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


def test_every_app_goes_to_nothing_and_back(filled: Database) -> None:
    """From the top down, and up again: each step takes, and brings, the app's own tables as they were."""
    with filled.connected() as connection:
        before = now = structure.read(connection)
        for app in reversed(OURS):
            call_command("migrate", app, "zero", database="own", verbosity=0)
            earlier, now = now, structure.read(connection)
            assert of(app, now) == {}
            gone = earlier.tables.keys() - now.tables.keys()
            # the tables of libraries that refer to people go with the core
            assert app == "core" or gone == of(app, before).keys()
            assert {name: earlier.tables[name] for name in now.tables} == now.tables
        for app in OURS:
            call_command("migrate", app, database="own", verbosity=0)
            assert of(app, structure.read(connection)) == of(app, before)
        call_command("migrate", database="own", verbosity=0)
        assert structure.read(connection) == before


def of(app: str, found: Structure) -> dict[str, Any]:
    return {name: table for name, table in found.tables.items() if name.startswith(f"{app}_")}


def test_each_later_migration_goes_back_and_forward_with_its_rows(filled: Database) -> None:
    """Step by step down to where each app began, and up again: at each step the structure and the rows are as before.

    Rows of every column that both sides of a step have; what a step takes away does not come back.
    """
    with filled.connected() as connection:
        before = structure.read(connection)
        had = rows(connection, before)
        assert len(had["core_user"]) == 7 and len(had["core_activity"]) == 1
        levels = [(("", ""), before, had)]
        for app, name in reversed(applied(connection)):
            call_command("migrate", app, before_of(app, name), database="own", verbosity=0)
            now = structure.read(connection)
            assert (app, name) not in MigrationRecorder(connection).applied_migrations()
            levels.append(((app, name), now, rows(connection, now)))
            assert kept(levels[-1][2], levels[-2][1]) == kept(levels[-2][2], now), f"{app}.{name} backward"
        while len(levels) > 1:
            (app, name), lower, held = levels.pop()
            call_command("migrate", app, name, database="own", verbosity=0)
            assert structure.read(connection) == levels[-1][1], f"{app}.{name} forward"
            assert kept(rows(connection, levels[-1][1]), lower) == kept(held, levels[-1][1]), f"{app}.{name} forward"
        assert structure.read(connection) == before


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
        call_command("migrate", "tickets", "0004", database="own", verbosity=0)
        (row,) = rows(connection, structure.read(connection))["tickets_question"]
        assert (row["text"], row["state"]) == ("Question 2", "open")
        call_command("migrate", "tickets", database="own", verbosity=0)
        assert structure.read(connection) == before


def applied(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    """The later migrations in the order in which they can be applied."""
    plan = MigrationExecutor(connection).loader.graph
    order = [key for leaf in plan.leaf_nodes() for key in plan.forwards_plan(leaf)]
    return [key for key in dict.fromkeys(order) if key in set(LATER)]


def before_of(app: str, name: str) -> str:
    return max(other for label, other in history.on_disk() if label == app and other < name)
