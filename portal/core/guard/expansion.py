"""Which migrations older code may run beside, and the record that says so.

A migration is ``expand`` when each of its operations only adds what code that
does not know it never has to fill:

- ``CreateModel``;
- ``AddField`` that is null, generated, many-to-many, or has a ``db_default``
  and is not unique (a second row with the default would clash);
- ``AddIndex`` (indexes made so are never unique);
- ``AlterModelOptions`` and ``AlterModelManagers``, which touch no database.

Everything else is ``contract``: constraints (old code may write what they
forbid), changed or removed things, SQL and Python. An author who knows better
sets ``expand = True`` or ``expand = False`` on the Migration class, and answers for it.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import AddField, AddIndex, AlterModelManagers, AlterModelOptions, CreateModel, Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.fields import NOT_PROVIDED

from portal.core.guard import history
from portal.core.models import AppliedMigration

Kind = AppliedMigration.Kind
_ONLY_ADD: Final = (CreateModel, AddIndex, AlterModelOptions, AlterModelManagers)


def kind_of(migration: Migration) -> AppliedMigration.Kind:
    """``expand`` or ``contract``, by the author's word or by the rule above."""
    said = getattr(migration, "expand", None)
    if said is None:
        said = all(_only_adds(operation) for operation in migration.operations)
    return Kind.EXPAND if said else Kind.CONTRACT


def _only_adds(operation: Operation) -> bool:
    # A subclass from elsewhere may do anything.
    if not type(operation).__module__.startswith("django."):
        return False
    if isinstance(operation, AddField):
        return fills_itself(operation.field)
    return isinstance(operation, _ONLY_ADD)


def fills_itself(field: models.Field[Any, Any]) -> bool:
    """Whether a row that older code inserts has a value in it."""
    if field.many_to_many or field.generated or field.null:
        return True
    return getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED and not field.unique


def record(connection: BaseDatabaseWrapper) -> None:
    """Make AppliedMigration say what is applied now.

    Each applied migration that this code knows and nobody recorded gets its
    kind; rows of migrations that are applied no more go. Migrations of other
    code keep what that code recorded. Does nothing while the table is not there.
    """
    if AppliedMigration._meta.db_table not in connection.introspection.table_names():
        return
    applied = set(MigrationRecorder(connection).applied_migrations())
    rows = AppliedMigration.objects.using(connection.alias)
    recorded = {(row.app, row.name): row.pk for row in rows.all()}
    rows.filter(pk__in=[pk for key, pk in recorded.items() if key not in applied]).delete()
    known = history.on_disk()
    fresh = sorted(key for key in applied if key in known and key not in recorded)
    rows.bulk_create([AppliedMigration(app=app, name=name, kind=kind_of(known[app, name])) for app, name in fresh])
