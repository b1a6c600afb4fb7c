"""Rehearsals of migrations: on a copy with rows, there and back, compared, kept, and the copy gone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, migrations
from django.test import override_settings

from portal.core import guard
from portal.core.guard import history
from portal.core.models import Activity, Rehearsal, Secret, User
from portal.site.keeping.refusals import Refused
from portal.site.rehearsing import copies, levels, records, rounds
from tests.engines import children
from tests.portal.site import keeping_place
from tests.portal.site.keeping_place import Places

pytestmark = pytest.mark.timeout(300)
# Alone of its app on the way back, and nothing stands on it.
LAST, BEFORE = keeping_place.LAST, ("core", "0004")


@pytest.fixture
def filled(places: Places) -> Iterator[Path]:
    """An installation with a ticket in it."""
    with places.filled() as data:
        keeping_place.ticket()
        yield data


def told(*arguments: str) -> dict[str, Any]:
    """What the command says in JSON."""
    out = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command("rehearse_migrations", "--json", *arguments, stdout=out, stderr=io.StringIO())
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def left(data: Path) -> list[str]:
    """The copies that are there."""
    if connection.vendor == "sqlite":
        return sorted(path.name for path in (data / "run").glob("rehearsal-*.sqlite3"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%{_own()[:25]}%\\_rehearsal\\_%"])
        return sorted(row[0] for row in cursor.fetchall())


def _own() -> str:
    return str(connection.settings_dict["NAME"])


@pytest.mark.postgresql
def test_the_last_migrations_go_back_and_forward_where_nothing_is_pending(filled: Path) -> None:
    before = levels.read(connection)
    found = told()
    assert (found["result"], found["faults"], found["pending"]) == ("passed", [], False)
    apps = {step.partition(".")[0] for step in found["steps"]}
    assert apps == history.ours() & {app for app, name in history.on_disk() if not name.startswith("0001")}
    assert {"way": "back", "table": "core_rehearsal", "column": "", "rows": 0} in found["losses"]
    assert found["rows"] == before.rows > 10 and found["tables"] == len(before.tables)
    row = Rehearsal.objects.get()
    assert (row.result, row.steps, row.losses) == ("passed", found["steps"], found["losses"])
    assert row.fingerprint == guard.look().expected_fingerprint
    assert Activity.objects.get(verb="migrations.rehearsed").after["rows"] == row.rows
    after = levels.read(connection)
    assert after.structure == before.structure
    assert {said.partition(" ")[0] for said in levels.changed(before, after)} == {"core_activity", "core_rehearsal"}
    assert left(filled) == []


def test_what_is_pending_goes_forward_first_and_back_to_where_it_was(filled: Path) -> None:
    keeping_place.undo_last()
    outcome = rounds.rehearse(print)
    assert (outcome.passed, outcome.pending, outcome.steps) == (True, True, [f"core.{LAST}"])
    assert (outcome.from_heads["core"], outcome.to_heads["core"]) == ("0004_idempotency", LAST)
    assert outcome.from_heads["tickets"] == outcome.to_heads["tickets"]
    assert guard.look().code == "schema_behind", "the original is as it was"
    assert not records.store(outcome), "there is no table for it yet"
    assert left(filled) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("forward", "reverse", "fault"),
    [
        ("", "UPDATE core_user SET name = 'lost'", "Back, core_user.name has other values."),
        ("", "DELETE FROM core_secret", "Back, core_secret had 1 rows, and has 0."),
        ("UPDATE core_user SET name = ''", "", "Forward again, core_user.name has other values."),
        (
            "",
            "ALTER TABLE core_secret ADD COLUMN left_over text",
            "After the way forward again the structure",
        ),
        ("SELECT * FROM nowhere", "", f"core.{LAST}, forward: "),
        ("", "SELECT * FROM nowhere", f"core.{LAST}, back: "),
    ],
    ids=["values", "rows", "forward", "structure", "fails forward", "fails back"],
)
def test_what_does_not_come_back_fails_and_is_kept(
    filled: Path, monkeypatch: pytest.MonkeyPatch, forward: str, reverse: str, fault: str
) -> None:
    with_sql = migrations.RunSQL(forward or migrations.RunSQL.noop, reverse or migrations.RunSQL.noop)
    migration = type(history.on_disk()["core", LAST])
    monkeypatch.setattr(migration, "operations", [*migration.operations, with_sql])
    Secret.objects.create(name="kept", sealed="x")
    found = told("--to", *BEFORE)
    assert found["result"] == "failed" and found["faults"][0].startswith(fault), found["faults"]
    row = Rehearsal.objects.get()
    assert (row.result, row.faults) == ("failed", found["faults"])
    assert guard.look().answer is guard.Answer.START and left(filled) == []
    assert User.objects.get(email="owner@example.org").name == "Owner"


def test_a_killed_rehearsal_leaves_a_copy_that_the_next_one_removes(filled: Path) -> None:
    before = levels.read(connection)
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "rehearse_migrations"]
    url = _own() if connection.vendor == "postgresql" else f"sqlite:///{_own()}"
    if connection.vendor == "postgresql":
        url = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{_own()}"
    environment = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(filled)}
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        children.wait_for("its copy", lambda: bool(left(filled)), process=process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
        print(process.communicate()[0].decode())
    assert len(left(filled)) == 1
    said: list[str] = []
    with copies.made(said.append):
        assert len(left(filled)) == 1, "its own"
    assert said[0].startswith("Removed what a killed rehearsal left: ")
    assert left(filled) == [] and levels.changed(before, levels.read(connection)) == []


def test_two_at_once_and_a_full_disk_are_refused(filled: Path) -> None:
    with copies.made(print), pytest.raises(Refused, match="is rehearsing already"), copies.made(print):
        raise AssertionError("two at once")
    least = settings.LIMITS | {"DISK_LEAST_BYTES": 10**15}
    with override_settings(LIMITS=least), pytest.raises(CommandError, match="The copy does not fit: ") as refused:
        call_command("rehearse_migrations", stdout=io.StringIO())
    assert refused.value.returncode == 2 and left(filled) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "nobody", "0001"], "No app 'nobody' has migrations."),
        (["--to", "core", "0999"], "core 0999: .*no migration for"),
        (["--to", "core", "000"], "core 000: .*more than one migration"),
    ],
    ids=["no app", "no migration", "several"],
)
def test_a_name_that_nobody_knows_is_refused(filled: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        call_command("rehearse_migrations", *arguments, stdout=io.StringIO())
    assert refused.value.returncode == 2 and not Rehearsal.objects.exists()


@pytest.mark.once
def test_what_cannot_be_rehearsed_is_refused(places: Places) -> None:
    def refusal() -> str:
        with pytest.raises(Refused) as refused:
            rounds.rehearse(print)
        return str(refused.value)

    with places.empty():
        assert refusal().startswith("The database is empty")
    with places.filled():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE core_secret ADD COLUMN by_hand text")
        assert "changed by something other than migrations" in refusal()


@pytest.mark.postgresql
def test_without_its_programs_only_an_unused_database_is_copied(filled: Path, tmp_path: Path) -> None:
    def rows(of: Any) -> int:
        with of.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM core_user")
            found: int = cursor.fetchone()[0]
            return found

    had = rows(connection)
    with override_settings(PG_BIN_DIR=str(tmp_path)):
        with copies.made(print) as copy:
            assert rows(copy) == had > 0
        url = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{_own()}"
        refused = pytest.raises(Refused, match="nobody is connected to is copied")
        with psycopg.connect(url), refused, copies.made(print):
            raise AssertionError("copied under somebody")


def test_a_digest_binds_each_value_to_its_row(filled: Path) -> None:
    """The same values in other rows, or in another order of rows, are told apart from nothing having changed."""
    one, other = list(User.objects.order_by("pk")[:2])
    before = levels.read(connection)
    User.objects.filter(pk=one.pk).update(name=other.name)
    User.objects.filter(pk=other.pk).update(name=one.name)
    assert levels.changed(before, levels.read(connection)) == ["core_user.name has other values"]
    User.objects.filter(pk=one.pk).update(name=one.name)
    User.objects.filter(pk=other.pk).update(name=other.name)
    assert levels.changed(before, levels.read(connection)) == []
