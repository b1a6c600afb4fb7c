"""Habits of migrations: each rule refuses what it is about, and nothing else; every migration of ours keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from portal.core.guard import habits
from portal.core.guard.at_ease import AddIndexBeside, AddUnchecked, CheckRows

pytestmark = pytest.mark.once
CHECK = models.CheckConstraint(condition=models.Q(pk__gt=0), name="later")
FILL = migrations.RunPython(lambda apps, editor: None, migrations.RunPython.noop)
INDEX = models.Index(fields=["title"], name="later_title")
WIDE = models.CharField(max_length=300, null=True)


def before() -> ProjectState:
    state = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("title", models.CharField(max_length=200, null=True)),
        ("body", models.TextField(default="")),
    ]
    state.add_model(ModelState("tickets", "Ticket", fields))
    return state


def rules(*operations: Any, **attributes: Any) -> list[str]:
    """The rules that a migration of these operations breaks; those that only name are in brackets."""
    made = type("Migration", (migrations.Migration,), {"operations": list(operations), **attributes})
    found = habits.faults(made("0999_later", "tickets"), before())
    return [fault.rule if fault.refuses else f"({fault.rule})" for fault in found]


def add(field: Any) -> Any:
    return migrations.AddField("ticket", "later", field)


def alter(field: Any) -> Any:
    return migrations.AlterField("ticket", "title", field)


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.RemoveField("ticket", "title"), "drop"),
        (migrations.RenameField("ticket", "title", "name"), "drop"),
        (migrations.RenameModel("Ticket", "Work"), "drop"),
        (migrations.AlterModelTable("Ticket", "work"), "drop"),
        (migrations.DeleteModel("Ticket"), "drop"),
        (add(models.IntegerField(default=0)), "required"),
        (add(models.IntegerField(db_default=0, unique=True)), "required"),
        (migrations.AddConstraint("ticket", CHECK), "constraint"),
        (migrations.AlterUniqueTogether("ticket", {("title", "body")}), "constraint"),
        (alter(models.TextField(null=True)), "retype"),
        (alter(models.CharField(max_length=100, null=True)), "retype"),
        (alter(models.CharField(max_length=200)), "retype"),
        (alter(models.CharField(max_length=200, null=True, unique=True)), "retype"),
        (alter(models.CharField(max_length=200, null=True, db_collation="C")), "retype"),
        (migrations.SeparateDatabaseAndState([migrations.RemoveField("ticket", "title")]), "drop"),
    ],
)
def test_an_expand_migration_may_not(operation: Any, rule: str) -> None:
    assert rules(operation, expand=True) == [rule]
    assert rules(operation, expand=True, excused={rule: "A table of three rows."}) == [f"({rule})"]
    assert rules(operation, expand=False) == [], "what contracts waits until no older code runs"


@pytest.mark.parametrize(
    "operation",
    [
        migrations.CreateModel("Later", [("id", models.BigAutoField(primary_key=True))]),
        add(models.CharField(null=True)),
        add(models.IntegerField(db_default=0)),
        add(models.ManyToManyField("tickets.Ticket")),
        alter(WIDE),
        alter(models.CharField(max_length=200, null=True, choices=[("a", "A")], verbose_name="name")),
        migrations.RemoveConstraint("ticket", "later"),
        migrations.AlterModelOptions("ticket", {"verbose_name": "work"}),
        AddUnchecked("ticket", CHECK),
        CheckRows("ticket", "later"),
        AddIndexBeside("ticket", INDEX),
    ],
)
def test_an_expand_migration_may(operation: Any) -> None:
    state = {"expand": True}
    if isinstance(operation, migrations.RemoveConstraint | CheckRows):
        first = [migrations.AddConstraint("ticket", CHECK)]
        assert rules(*first, operation, **state) == ["constraint"], "only the one that adds it"
    else:
        assert rules(operation, **state) == []


def test_what_a_migration_makes_itself_has_no_rows_yet() -> None:
    made = migrations.CreateModel("Later", [("id", models.BigAutoField(primary_key=True))])
    later = [
        migrations.AddField("later", "count", models.IntegerField()),
        migrations.AddConstraint("later", models.CheckConstraint(condition=models.Q(pk__gt=0), name="later")),
        migrations.AddIndex("later", models.Index(fields=["count"], name="later_count")),
    ]
    assert rules(made, *later, expand=True) == []


@pytest.mark.parametrize("fill", [FILL, migrations.RunSQL("UPDATE tickets_ticket SET body = ''", "")])
def test_rows_are_filled_in_a_migration_of_their_own(fill: Any) -> None:
    assert rules(fill) == []
    assert rules(add(models.CharField(null=True)), fill) == ["mixed"]
    only_back = migrations.RunPython(migrations.RunPython.noop, lambda apps, editor: None)
    assert rules(add(models.CharField(null=True)), only_back) == []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RunPython(lambda apps, editor: None),
        migrations.RunSQL("SELECT 1"),
        migrations.SeparateDatabaseAndState([migrations.RunSQL("SELECT 1")]),
    ],
)
def test_what_cannot_be_taken_back_is_refused(operation: Any) -> None:
    assert rules(operation) == ["one-way"]


def test_an_index_made_at_once_is_only_named() -> None:
    assert rules(migrations.AddIndex("ticket", INDEX)) == ["(index)"]


def test_every_migration_of_ours_keeps_the_habits_or_says_why_not() -> None:
    found = habits.of_all(MigrationLoader(None))
    assert [str(fault) for fault in found if fault.refuses] == []
    excused = {f"{fault.app}.{fault.name}" for fault in found if fault.excuse}
    assert set(habits._BEFORE) <= excused, "an excuse that nobody needs is taken away"


def test_lint_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core import checks

    assert habits.check in checks.registry.registry.get_checks(include_deployment_checks=True)
    monkeypatch.setattr(habits, "_BEFORE", {})
    said = [message for message in habits.check() if isinstance(message, checks.Error)]
    assert said and all(message.id == "shiproom.migrations.constraint" for message in said)
