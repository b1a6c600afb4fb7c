"""What the migrate step records, and the rule behind it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import migrations, models
from django.db.models.functions import Now

from portal.core.guard import expansion, history
from portal.core.models import AppliedMigration
from tests.portal.core.guard.databases import Database

Kind = AppliedMigration.Kind


def kind(*operations: Any, **attributes: Any) -> AppliedMigration.Kind:
    made = type("Migration", (migrations.Migration,), {"operations": list(operations), **attributes})
    return expansion.kind_of(made("0001_x", "tickets"))


def add(field: Any) -> Any:
    return migrations.AddField("ticket", "later", field)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.CreateModel("Later", [("id", models.BigAutoField(primary_key=True))]),
        add(models.CharField(null=True)),
        add(models.IntegerField(db_default=0)),
        add(models.DateTimeField(db_default=Now())),
        add(models.CharField(null=True, unique=True)),
        add(models.ManyToManyField("core.User")),
        migrations.AddIndex("ticket", models.Index(fields=["title"], name="later")),
        migrations.AlterModelOptions("ticket", {"verbose_name": "work"}),
    ],
)
def test_what_only_adds_is_expand(operation: Any) -> None:
    assert kind(operation) == Kind.EXPAND


class Odd(migrations.AddIndex):
    """An operation of somebody else's, which may do anything."""


@pytest.mark.parametrize(
    "operation",
    [
        add(models.IntegerField(default=0)),
        add(models.IntegerField(db_default=0, unique=True)),
        migrations.AddConstraint("ticket", models.UniqueConstraint(fields=["title"], name="later")),
        migrations.RemoveField("ticket", "title"),
        migrations.AlterField("ticket", "title", models.CharField(max_length=300)),
        migrations.RenameField("ticket", "title", "name"),
        migrations.DeleteModel("Ticket"),
        migrations.RemoveIndex("ticket", "later"),
        migrations.RunSQL("SELECT 1"),
        migrations.RunPython(migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(),
        Odd("ticket", models.Index(fields=["title"], name="later")),
    ],
)
def test_everything_else_is_contract(operation: Any) -> None:
    assert kind(operation) == Kind.CONTRACT
    assert kind(add(models.CharField(null=True)), operation) == Kind.CONTRACT


def test_the_author_has_the_last_word() -> None:
    assert kind(migrations.RunSQL("SELECT 1"), expand=True) == Kind.EXPAND
    assert kind(add(models.CharField(null=True)), expand=False) == Kind.CONTRACT


def test_each_applied_migration_is_recorded_once(own: Database) -> None:
    with own.connected() as connection:
        rows = AppliedMigration.objects.using("own")
        found = {(row.app, row.name): row.kind for row in rows.all()}
        assert found == {key: expansion.kind_of(item) for key, item in history.on_disk().items()}
        expansion.record(connection)
        assert rows.count() == len(found)


def test_a_reversed_migration_loses_its_row_and_gets_it_back(own: Database) -> None:
    with own.connected():
        rows = AppliedMigration.objects.using("own").filter(app="reviews")
        call_command("migrate", "reviews", "zero", database="own", verbosity=0)
        assert rows.count() == 0
        call_command("migrate", database="own", verbosity=0)
        assert rows.count() > 0


def test_rows_of_newer_code_stay(own: Database) -> None:
    own.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('tickets', '0999_more', '2026-11-20 13:50:00')"
    )
    with own.connected():
        rows = AppliedMigration.objects.using("own")
        rows.create(app="tickets", name="0999_more", kind="expand")
        call_command("migrate", database="own", verbosity=0)
        assert rows.get(name="0999_more").kind == "expand"


def test_the_rest_of_a_step_that_failed_is_recorded_by_the_next(own: Database) -> None:
    own.execute("DELETE FROM core_appliedmigration WHERE app = 'workers'")
    with own.connected():
        call_command("migrate", database="own", verbosity=0)
        assert AppliedMigration.objects.using("own").filter(app="workers").exists()
