"""The habits that let old and new code run on one schema: expand, fill, contract, each a migration of its own.

What is refused:

- ``drop``: an expand migration removes or renames what older code may use;
- ``required``: it adds a column that older code would have to fill;
- ``constraint``: it adds a constraint to a table with rows, which PostgreSQL
  checks at once, under a lock that keeps every reader out;
- ``retype``: it changes a column's type, or narrows it, which rewrites a table;
- ``mixed``: rows are filled in the migration that changes the structure, so
  that its locks last as long as the fill;
- ``one-way``: an operation cannot be taken back.

What is only named: an index made at once on a table that is there, since
nobody writes to it meanwhile (``at_ease.AddIndexBeside`` makes it beside).

An author who knows better says so in the migration, rule by rule, with the
reason: ``excused = {"constraint": "The table has as many rows as there are pools."}``.
Those that ran in installations before the habits were held to are listed here.
The first migration of an app makes its tables, so nothing of this is about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.core.checks import CheckMessage, Error, Info
from django.db import models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterModelTable,
    AlterUniqueTogether,
    CreateModel,
    DeleteModel,
    Migration,
    RemoveField,
    RenameField,
    RenameModel,
    RunPython,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from portal.core.guard import expansion, history

DROP: Final = "drop"
REQUIRED: Final = "required"
CONSTRAINT: Final = "constraint"
RETYPE: Final = "retype"
MIXED: Final = "mixed"
ONE_WAY: Final = "one-way"
INDEX: Final = "index"
REFUSED: Final = (DROP, REQUIRED, CONSTRAINT, RETYPE, MIXED, ONE_WAY)

_AT_EASE: Final = (AddConstraintNotValid, AddIndexConcurrently)
_DROPS: Final = (RemoveField, RenameField, DeleteModel, RenameModel, AlterModelTable)
# What a column is, beside its type: smaller or stricter is another column.
_NARROWS: Final = ("max_length", "max_digits", "decimal_places")


# Each is a check of new or widened words, over rows that are read in less than a second.
_BEFORE: Final[Mapping[str, Mapping[str, str]]] = {
    "tickets.0007_kept_decisions": {CONSTRAINT: "A row for each question that was asked: few."},
    "reviews.0007_decisions": {CONSTRAINT: "Checks that let more in take the place of narrower ones, in one step."},
    "deployments.0006_freezes_and_soaking": {CONSTRAINT: "A row for each step that failed: few."},
    "deployments.0007_steps_and_health": {CONSTRAINT: "Checks that let more in take the place of narrower ones."},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A habit that a migration breaks; ``excuse`` is the author's reason, and empty where there is none."""

    app: str
    name: str
    rule: str
    sentence: str
    excuse: str = ""

    @property
    def refuses(self) -> bool:
        return self.rule in REFUSED and not self.excuse

    def __str__(self) -> str:
        return f"{self.app}.{self.name} ({self.rule}): {self.sentence}"


def check(**given: Any) -> list[CheckMessage]:
    """A check of ``manage.py check --deploy``, which is part of ``make lint``.

    An index is named while its migration is an app's last one: what ran everywhere long ago is not said again.
    """
    loader = MigrationLoader(None)
    last = set(loader.graph.leaf_nodes())
    found: list[CheckMessage] = []
    for fault in of_all(loader):
        if fault.refuses:
            found.append(Error(str(fault), id=f"shiproom.migrations.{fault.rule}"))
        elif fault.rule == INDEX and not fault.excuse and (fault.app, fault.name) in last:
            found.append(Info(str(fault), id=f"shiproom.migrations.{fault.rule}"))
    return found


def of_all(loader: MigrationLoader) -> list[Fault]:
    """The faults of every migration of this project's apps, without asking a database."""
    graph, state, ours = loader.graph, ProjectState(real_apps=loader.unmigrated_apps), history.ours()
    found: list[Fault] = []
    order = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    for key in order:
        migration = graph.nodes[key]
        is_first = not any(parent.key[0] == key[0] for parent in graph.node_map[key].parents)
        if key[0] in ours and not is_first:
            found += faults(migration, state)
        state = migration.mutate_state(state, preserve=False)
    return found


def faults(migration: Migration, before: ProjectState) -> list[Fault]:
    """What is to be said of one migration; ``before`` is what the models were, and stays as it is."""
    before_habits = _BEFORE.get(f"{migration.app_label}.{migration.name}", {})
    excused: Mapping[str, str] = getattr(migration, "excused", before_habits)
    state, found = before.clone(), []
    operations = list(_flat(migration.operations))
    made = {(migration.app_label, op.name.lower()) for op in operations if isinstance(op, CreateModel)}
    fills = [operation for operation in operations if _fills(operation)]
    expands = expansion.kind_of(migration) == expansion.Kind.EXPAND
    for operation in operations:
        for rule, sentence in _of(operation, migration.app_label, state, made, expands):
            found.append(Fault(migration.app_label, migration.name, rule, sentence, excused.get(rule, "")))
        operation.state_forwards(migration.app_label, state)
    if fills and len(fills) < len(operations):
        sentence = f"{_named(fills[0])} stands beside changes of the structure: give it a migration of its own."
        found.append(Fault(migration.app_label, migration.name, MIXED, sentence, excused.get(MIXED, "")))
    return found


def _flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    """The operations that touch the database."""
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _fills(operation: Operation) -> bool:
    """Whether it may write rows on the way forward; a ``noop`` there is about the way back alone."""
    if isinstance(operation, RunPython):
        return operation.code is not RunPython.noop
    return isinstance(operation, RunSQL) and operation.sql != RunSQL.noop


def _of(
    operation: Operation, app: str, state: ProjectState, made: set[tuple[str, str]], expands: bool
) -> Iterator[tuple[str, str]]:
    named = _named(operation)
    if not operation.reversible:
        yield ONE_WAY, f"{named} cannot be taken back: give it a reverse."
    if isinstance(operation, _AT_EASE):
        return
    table = (app, str(getattr(operation, "model_name", "")).lower())
    if isinstance(operation, AddIndex) and table not in made:
        yield INDEX, f"{named} keeps writers of a large table out: at_ease.AddIndexBeside does not."
    if not expands:
        return
    if isinstance(operation, _DROPS):
        yield DROP, f"{named} takes away what older code may use: it belongs into a contract migration."
    if isinstance(operation, AddField) and table not in made and not _optional(operation.field):
        yield REQUIRED, f"{named}: older code does not fill it. Make it null, or give it a db_default."
    if isinstance(operation, AddConstraint | AlterUniqueTogether) and table not in made:
        yield (
            CONSTRAINT,
            f"{named} reads a whole table under a lock: at_ease.AddUnchecked, then CheckRows.",
        )
    if isinstance(operation, AlterField) and (why := _retyped(operation, state, app)):
        yield RETYPE, f"{named} {why}: add a column beside it, fill it, take the old one away."


def _named(operation: Operation) -> str:
    parts = [getattr(operation, part, "") for part in ("model_name", "name")]
    if isinstance(operation, AddConstraint | AddIndex):
        parts[1] = getattr(operation, "constraint", getattr(operation, "index", None)).name  # type: ignore[union-attr]
    return f"{type(operation).__name__} {'.'.join(part for part in parts if part)}".strip()


def _optional(field: models.Field[Any, Any]) -> bool:
    # A table between many and many is a table of its own.
    return bool(field.many_to_many) or expansion.fills_itself(field)


def _retyped(operation: AlterField, state: ProjectState, app: str) -> str:
    """In what way the column becomes another; empty where it stays what older code writes."""
    before = state.models[app, operation.model_name_lower].fields[operation.name]
    after = operation.field
    if before.get_internal_type() != after.get_internal_type():
        return f"makes a {after.get_internal_type()} of a {before.get_internal_type()}"
    for name in _NARROWS:
        old, new = getattr(before, name, None), getattr(after, name, None)
        if new is not None and (old is None or new < old):
            return f"narrows {name} from {old or 'none'} to {new}"
    if before.null and not after.null:
        return "makes null not null"
    if after.unique and not before.unique:
        return "makes it unique"
    if getattr(before, "db_collation", None) != getattr(after, "db_collation", None):
        return "changes the collation"
    return ""
