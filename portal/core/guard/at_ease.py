"""Operations of migrations that keep nobody out of a large table.

Django has them for PostgreSQL alone; here they do on SQLite, where one process
writes at a time anyway, what the plain ones do.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddIndex


def _is_postgresql(editor: BaseDatabaseSchemaEditor) -> bool:
    return editor.connection.vendor == "postgresql"


class AddUnchecked(AddConstraintNotValid):
    """Add a CHECK that holds for every row from now on; those that are there are read by ``CheckRows`` later.

    Each stands in a migration of its own: the lock of the first is let go before the second reads the table.
    """

    def database_forwards(self, app_label: str, editor: Any, from_state: Any, to_state: Any) -> None:
        if _is_postgresql(editor):
            super().database_forwards(app_label, editor, from_state, to_state)
        else:
            AddConstraint.database_forwards(self, app_label, editor, from_state, to_state)


class CheckRows(ValidateConstraint):
    """Read the rows that were there before ``AddUnchecked``, beside whoever writes."""

    def database_forwards(self, app_label: str, editor: Any, from_state: Any, to_state: Any) -> None:
        if _is_postgresql(editor):
            super().database_forwards(app_label, editor, from_state, to_state)


class AddIndexBeside(AddIndexConcurrently):
    """Make an index while others write. The migration says ``atomic = False``, and has nothing else in it."""

    def database_forwards(self, app_label: str, editor: Any, from_state: Any, to_state: Any) -> None:
        if _is_postgresql(editor):
            super().database_forwards(app_label, editor, from_state, to_state)
        else:
            AddIndex.database_forwards(self, app_label, editor, from_state, to_state)

    def database_backwards(self, app_label: str, editor: Any, from_state: Any, to_state: Any) -> None:
        if _is_postgresql(editor):
            super().database_backwards(app_label, editor, from_state, to_state)
        else:
            AddIndex.database_backwards(self, app_label, editor, from_state, to_state)
