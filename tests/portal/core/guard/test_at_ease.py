"""Operations that keep nobody out of a table do on both engines what the plain ones do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from portal.core.guard import structure
from portal.core.guard.at_ease import AddIndexBeside, AddUnchecked, CheckRows
from tests.portal.core.guard.databases import Database

CHECK = models.CheckConstraint(condition=models.Q(name__gt=""), name="later_named")
INDEX = models.Index(fields=["changed_at"], name="later_changed")


def test_a_constraint_and_an_index_come_and_go(own: Database) -> None:
    own.execute("INSERT INTO core_secret (name, sealed, changed_at) VALUES ('', 'x', '2026-11-20 13:50:00')")
    with own.connected() as connection:
        before = structure.read(connection)
        state: ProjectState = MigrationLoader(connection).project_state()

        def go(operation: Any, *, forward: bool = True) -> None:
            later = state.clone()
            if not isinstance(operation, CheckRows):
                operation.state_forwards("core", later)
            with connection.schema_editor(atomic=not isinstance(operation, AddIndexBeside)) as editor:
                if forward:
                    operation.database_forwards("core", editor, state, later)
                else:
                    operation.database_backwards("core", editor, later, state)

        def has(name: str) -> bool:
            table = structure.read(connection).tables["core_secret"]
            return name in {**table.constraints, **table.indexes}

        if own.engine == "sqlite":
            with pytest.raises(IntegrityError):
                go(AddUnchecked("secret", CHECK))
            own.execute("DELETE FROM core_secret")
        go(AddUnchecked("secret", CHECK))
        with pytest.raises(IntegrityError), transaction.atomic(using="own"), connection.cursor() as cursor:
            cursor.execute("INSERT INTO core_secret (name, sealed, changed_at) VALUES ('', 'y', '2026-11-20 13:50:00')")
        state.add_constraint("core", "secret", CHECK)
        if own.engine == "postgresql":
            with pytest.raises(IntegrityError):
                go(CheckRows("secret", "later_named"))
            own.execute("DELETE FROM core_secret")
        go(CheckRows("secret", "later_named"))
        state.remove_constraint("core", "secret", "later_named")
        assert has("later_named")
        go(AddIndexBeside("secret", INDEX))
        assert has("later_changed")
        go(AddIndexBeside("secret", INDEX), forward=False)
        go(AddUnchecked("secret", CHECK), forward=False)
        assert structure.read(connection) == before
