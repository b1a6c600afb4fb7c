"""A migrate step that is killed inside a migration: the guard says what is there, and the next step finishes."""

from __future__ import annotations

import signal
import sys

import pytest

from portal.core.guard import history, manifest, structure
from portal.core.guard.answer import Answer, Report, look
from tests.portal.core.guard.databases import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# Of several operations on a table with rows; on SQLite the table is made anew by them.
KEY = ("tickets", "0007_kept_decisions")

# As the migrate step does it, in one process: back, then forward, and killed before the last of the operations.
KILLED = """
import os, signal, sys
import django; django.setup()
from django.core.management import call_command
from django.db import connection, migrations
from portal.site.rehearsing import rounds

app, name, before = sys.argv[1:]
rounds.backward(connection, [(app, before)])
print("back", flush=True)
kill = migrations.AddConstraint.database_forwards
def database_forwards(self, *given):
    kill(self, *given)
    os.kill(os.getpid(), signal.SIGKILL)
migrations.AddConstraint.database_forwards = database_forwards
call_command("migrate", app, verbosity=0)
"""


def judged(database: Database) -> Report:
    with database.connected() as connection:
        return look(connection)


def test_a_migration_killed_inside_leaves_nothing_of_it_and_the_next_step_finishes(own: Database) -> None:
    names = sorted(name for app, name in history.on_disk() if app == KEY[0])
    before = names[names.index(KEY[1]) - 1]
    done = own.run(sys.executable, "-c", KILLED, *KEY, before)
    assert (done.returncode, done.stdout.strip()) == (-signal.SIGKILL, "back"), done.stderr
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_behind")
    assert KEY in report.pending and report.mend[0].command == "python manage.py migrate"
    with own.connected() as connection:
        half = structure.read(connection).tables["tickets_question"]
    assert "kept_at" not in half.columns, "a migration is one transaction"
    assert own.manage("migrate", "--no-input").returncode == 0
    assert judged(own).code == "ok"
    with own.connected() as connection:
        found = structure.read(connection)
    expected = manifest.load(own.engine).structure
    assert found.only(expected.tables) == expected
