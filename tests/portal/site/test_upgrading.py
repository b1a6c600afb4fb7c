"""A start that migrates a database with rows: a backup first, and the way back where a migration fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection, migrations
from django.db.migrations import Migration
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from portal.core import guard
from portal.core.clock import Wall
from portal.core.guard import history
from portal.core.models import Rehearsal, User
from portal.site.keeping import backups, restoring, upgrading
from tests.engines import postgresql
from tests.portal.site import keeping_place
from tests.portal.site.keeping_place import Places
from workers.models import Worker

# Its own operations may fail on what is there already: it is only ever recorded anew, or made to fail.
PENDING = ("live", "0001_ground")


@pytest.fixture(autouse=True)
def _port() -> Iterator[None]:
    """Nobody listens there, whatever runs on this machine; and nothing is rehearsed but where that is asked."""
    with override_settings(PORT=postgresql.free_port()), limited(REHEARSAL_MAX_BYTES=0):
        yield


def limited(**values: float) -> override_settings:
    return override_settings(LIMITS=settings.LIMITS | values)


@pytest.fixture
def said() -> list[str]:
    return []


def make_pending() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", PENDING)


def migrates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pending migration finds nothing to do."""
    monkeypatch.setattr(Migration, "apply", lambda self, state, editor, collect_sql=False: state)


def fails(monkeypatch: pytest.MonkeyPatch, **workers: Any) -> None:
    """The pending migration fails after it has done something that its transaction does not take back."""

    def apply(self: Any, *given: Any, **more: Any) -> None:
        User.objects.filter(email="owner@example.org").update(name="half-way")
        if workers:
            Worker.objects.update(**workers)
        raise OperationalError("no space\nleft on device")

    monkeypatch.setattr(Migration, "apply", apply)
    monkeypatch.setattr(Migration, "atomic", False)


@pytest.mark.once
def test_a_database_with_rows_is_backed_up_before_it_is_migrated(
    places: Places, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with places.filled():
        keeping_place.ticket()
        make_pending()
        migrates(monkeypatch)
        upgrading.migrate(said.append)
        [made], _ = backups.listed()
        assert said[-1] == f"The backup is {made.path}"
        assert PENDING in MigrationRecorder(connection).applied_migrations()
        upgrading.migrate(said.append)
        assert len(backups.listed()[0]) == 1, "nothing was pending"


@pytest.mark.once
def test_without_rows_or_where_it_is_set_so_there_is_no_backup(
    places: Places, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with places.filled():
        migrates(monkeypatch)
        make_pending()
        upgrading.migrate(said.append)
        keeping_place.ticket()
        make_pending()
        with override_settings(BACKUP_BEFORE_MIGRATE=False):
            upgrading.migrate(said.append)
        assert (backups.listed(), said) == (([], 0), [])


@pytest.mark.once
def test_where_no_backup_can_be_made_nothing_is_migrated(
    places: Places, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with places.filled() as data:
        keeping_place.ticket()
        make_pending()
        (data / "backups").write_text("in the way")
        with pytest.raises(SystemExit) as stop:
            call_command("prepare")
        assert stop.value.code == 2
        written = capsys.readouterr().err
        assert written.startswith("shiproom: No backup could be made before the migration: ")
        assert len(written.splitlines()) == 1 and "BACKUP_BEFORE_MIGRATE=0" in written
        assert PENDING not in MigrationRecorder(connection).applied_migrations()


def test_a_migration_that_fails_is_said_with_the_backup_and_the_way_back(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with places.filled():
        keeping_place.ticket()
        make_pending()
        fails(monkeypatch)
        with pytest.raises(SystemExit) as stop:
            call_command("prepare")
        assert stop.value.code == 1
        [made], _ = backups.listed()
        written = capsys.readouterr().err.splitlines()
        assert len(written) == 1 and "no space left on device" in written[0] and str(made.path) in written[0]
        name = User.objects.get(email="owner@example.org").name
        if connection.vendor == "sqlite":
            assert "is again what it was before" in written[0]
            assert name == "Owner", "put back: nobody else was at work"
        else:
            assert f"manage.py restore {made.path}" in written[0]
            assert name == "half-way"
    with places.empty():
        restoring.restore(made.path)
        assert User.objects.get(email="owner@example.org").name == "Owner"


@pytest.mark.once
@pytest.mark.parametrize("left", [False, True], ids=["is", "was"])
def test_nothing_is_put_back_under_somebody_who_is_or_was_at_work(
    places: Places, said: list[str], monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    with places.filled():
        keeping_place.ticket()
        schema = guard.look().expected_fingerprint
        Worker.objects.create(name="short@here:1:1", pool="short", host="here", pid=1, schema=schema)
        make_pending()
        fails(monkeypatch, **{"state": Worker.State.STOPPED} if left else {})
        with pytest.raises(upgrading.MigrationFailed, match="manage.py restore"):
            upgrading.migrate(said.append)
        assert User.objects.get(email="owner@example.org").name == "half-way"


@pytest.mark.once
def test_an_upgrade_is_rehearsed_before_it_is_backed_up_and_the_rehearsal_kept(places: Places, said: list[str]) -> None:
    with places.filled(), limited(REHEARSAL_MAX_BYTES=10**9):
        keeping_place.ticket()
        keeping_place.undo_last()
        upgrading.migrate(said.append)
        words = "\n".join(said)
        first, second = words.index("Passed: the structure"), words.index("The backup is")
        assert 0 < first < second and "The copy takes up to" in words
        row = Rehearsal.objects.get()
        assert (row.result, row.steps) == ("passed", [f"core.{keeping_place.LAST}"])
        assert guard.look().answer is guard.Answer.START


@pytest.mark.once
def test_a_large_database_is_not_rehearsed_and_that_is_said(places: Places, said: list[str]) -> None:
    with places.filled(), limited(REHEARSAL_MAX_BYTES=1000):
        keeping_place.ticket()
        keeping_place.undo_last()
        upgrading.migrate(said.append)
        assert said[0].startswith("The migrations are not rehearsed: the database has ") and "1.0 kB" in said[0]
        assert guard.look().answer is guard.Answer.START and not Rehearsal.objects.exists()


@pytest.mark.once
def test_where_the_rehearsal_fails_nothing_is_migrated(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = type(history.on_disk()["core", keeping_place.LAST])
    loses = migrations.RunSQL(migrations.RunSQL.noop, "UPDATE core_user SET name = 'lost'")
    monkeypatch.setattr(last, "operations", [*last.operations, loses])
    with places.filled(), limited(REHEARSAL_MAX_BYTES=10**9):
        keeping_place.ticket()
        keeping_place.undo_last()
        with pytest.raises(SystemExit) as stop:
            call_command("prepare")
        assert stop.value.code == 2
        written = capsys.readouterr().err
        assert "failed their rehearsal: Back where it was, core_user.name has other values." in written
        assert len(written.splitlines()) == 1 and "REHEARSAL_MAX_BYTES=0" in written
        assert guard.look().code == "schema_behind" and backups.listed() == ([], 0)


@pytest.mark.once
def test_under_processes_of_other_code_nothing_is_prepared(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(type(history.on_disk()["core", keeping_place.LAST]), "expand", False, raising=False)
    with places.filled(), limited(LEASE_SECONDS=0.1):
        keeping_place.ticket()
        keeping_place.undo_last()
        Worker.objects.create(name="short@there:1:1", pool="short", host="there", pid=1, seen_at=Wall(100))
        with pytest.raises(SystemExit) as stop:
            call_command("prepare")
        assert stop.value.code == 2
        written = capsys.readouterr().err
        assert f"core.{keeping_place.LAST}: no process may run beside that" in written and "short@there:1:1" in written
        assert "--beside-old-code" in written and len(written.splitlines()) == 1
        assert guard.look().code == "schema_behind" and backups.listed() == ([], 0)
