"""Making a manifest: from a new database that nothing but the migrations has touched."""

from __future__ import annotations

import os
from pathlib import Path

from django.apps import apps
from django.db import connection

from portal.core.guard import history, manifest, structure
from portal.core.guard.manifest import Manifest


def make() -> Manifest:
    """Migrate an empty temporary database of the current engine and describe it; the database is dropped again.

    Raises ``django.db.Error`` where the server refuses to make a database.
    """
    engine = connection.creation
    name = str(connection.settings_dict["NAME"])
    # A name of its own: the suite's test database may be in use.
    connection.settings_dict["TEST"]["NAME"] = (
        f"shiproom_manifest_{os.getpid()}" if connection.vendor == "postgresql" else None
    )
    engine.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        found = structure.read(connection)
    finally:
        engine.destroy_test_db(name, verbosity=0)
    return Manifest(found, owners(), frozenset(history.on_disk()))


def owners() -> dict[str, str]:
    """The app label of each model's table, many-to-many tables included."""
    return {model._meta.db_table: model._meta.app_label for model in apps.get_models(include_auto_created=True)}


def write() -> Path:
    """Make the current engine's manifest and put it where the guard reads it."""
    target = manifest.path(connection.vendor)
    target.parent.mkdir(exist_ok=True)
    target.write_text(make().written(), encoding="utf-8")
    return target
