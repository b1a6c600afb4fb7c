"""History is append-only: the database itself refuses to change a row of it."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

POSTGRESQL = [
    """
    CREATE FUNCTION core_activity_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'core_activity is append-only'; END $$
    """,
    """
    CREATE TRIGGER core_activity_append_only BEFORE UPDATE OR DELETE ON core_activity
    FOR EACH ROW EXECUTE FUNCTION core_activity_append_only()
    """,
]
SQLITE = [
    """
    CREATE TRIGGER core_activity_append_only BEFORE UPDATE ON core_activity
    BEGIN SELECT RAISE(ABORT, 'core_activity is append-only'); END
    """,
]


def forward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    run(editor, POSTGRESQL if editor.connection.vendor == "postgresql" else SQLITE)


def backward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        run(
            editor,
            ["DROP TRIGGER core_activity_append_only ON core_activity", "DROP FUNCTION core_activity_append_only()"],
        )
    else:
        run(editor, ["DROP TRIGGER core_activity_append_only"])


def run(editor: BaseDatabaseSchemaEditor, statements: list[str]) -> None:
    for statement in statements:
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies: Any = [("core", "0001_ground")]
    operations: Any = [migrations.RunPython(forward, backward)]
