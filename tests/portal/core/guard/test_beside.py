"""A step that older code may not run beside waits until none of it is seen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.recorder import MigrationRecorder

from portal.core.clock import Wall
from portal.core.guard import beside, history, manifest
from portal.core.models import WebProcess
from tests.portal.core.guard.databases import Database
from workers.models import Worker

# Nothing stands on it.
PENDING = ("core", "0005_rehearsals_and_web_processes")


@pytest.fixture
def connection(own: Database) -> Iterator[BaseDatabaseWrapper]:
    with own.connected() as connected:
        yield connected


def step(expand: bool) -> Migration:
    made = type("Migration", (migrations.Migration,), {"expand": expand, "operations": []})
    return made("0999_later", "tickets")


def web(schema: str = "0" * 12, seconds: float = 0, version: str = "0.0.9") -> None:
    WebProcess.objects.using("own").create(
        name=f"web@here:{WebProcess.objects.using('own').count()}", host="here", pid=1, version=version, schema=schema,
        seen_at=Wall(seconds),
    )  # fmt: skip


def worker(name: str, schema: str, state: str = Worker.State.ALIVE) -> None:
    rows = Worker.objects.using("own")
    rows.create(name=name, pool="short", host="here", pid=1, version="0.0.9", schema=schema, state=state)


def own_schema(connection: BaseDatabaseWrapper) -> str:
    return manifest.load(connection.vendor).structure.fingerprint()


def waits(connection: BaseDatabaseWrapper, migration: Migration, *, back: bool = False) -> str:
    """For whom it waits; empty where it goes on."""
    try:
        beside.wait(connection, [(migration, back)], print, 0)
    except beside.OldCodeRuns as found:
        return str(found)
    return ""


def test_a_contract_step_waits_for_processes_of_other_code_and_no_other_step_does(
    connection: BaseDatabaseWrapper,
) -> None:
    ours = own_schema(connection)
    assert waits(connection, step(expand=False)) == "", "nobody is there"
    web(ours)
    worker("short@here:1:1", ours)
    worker("short@here:2:2", "0" * 12, Worker.State.STOPPED)
    web(seconds=-61)
    assert waits(connection, step(expand=False)) == "", "one stopped, one is lost for longer than a lease"
    web()
    worker("short@here:3:3", "0" * 12)
    said = waits(connection, step(expand=False))
    assert said == (
        "tickets.0999_later: no process may run beside that whose code was not written for it. Seen: web@here:2"
        " (version 0.0.9), short@here:3:3 (version 0.0.9). Nothing was changed. Stop them, then try again."
    )
    assert waits(connection, step(expand=True)) == ""


def test_a_step_back_waits_for_this_code_and_a_contract_back_for_everybody(connection: BaseDatabaseWrapper) -> None:
    web()
    assert waits(connection, step(expand=True), back=True) == "", "older code never knew what goes"
    assert "web@here:0" in waits(connection, step(expand=False), back=True)
    web(own_schema(connection))
    assert "web@here:1" in waits(connection, step(expand=True), back=True)


@pytest.mark.once
def test_a_process_that_was_killed_is_waited_for_no_longer_than_its_lease(connection: BaseDatabaseWrapper) -> None:
    web(seconds=-58.9)
    said: list[str] = []
    beside.wait(connection, [(step(expand=False), False)], said.append, 20)
    assert len(said) == 1 and said[0].endswith("Waiting up to 20 s for them to end.")


@pytest.mark.once
def test_a_database_from_before_processes_said_so_is_waited_for_by_nobody(connection: BaseDatabaseWrapper) -> None:
    web()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE core_webprocess")
        cursor.execute("ALTER TABLE workers_worker DROP COLUMN schema")
    assert beside.seen(connection) == []


def test_the_migrate_command_changes_nothing_until_it_may(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # It is there already: only its record is made anew.
    monkeypatch.setattr(Migration, "apply", lambda self, state, editor, collect_sql=False: state)
    monkeypatch.setattr(type(history.on_disk()[PENDING]), "expand", False, raising=False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", PENDING)
    web()

    def migrate(**options: Any) -> None:
        call_command("migrate", database="own", verbosity=0, **options)

    def is_applied() -> bool:
        return PENDING in MigrationRecorder(connection).applied_migrations()

    with pytest.raises(CommandError, match="web@here:0 .* Or --beside-old-code") as refused:
        migrate(wait=0)
    assert refused.value.returncode == 5 and not is_applied()
    with caplog.at_level(logging.WARNING, "portal.core.guard"):
        migrate(beside_old_code="it only reads")
    assert is_applied()
    assert "migrate beside other code: it only reads." in caplog.text and "web@here:0" in caplog.text


@pytest.mark.once
def test_rows_of_processes_are_two_models_with_what_is_needed() -> None:
    named = {model._meta.label for model, _ in beside._sources}
    assert named == {"core.WebProcess", "workers.Worker"}
    for model, _ in beside._sources:
        assert {field.name for field in model._meta.get_fields() if isinstance(field, models.Field)} >= beside._NEEDED
