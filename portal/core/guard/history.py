"""Which migrations the code knows, which the database has, and how the migrate step recorded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.utils.dateparse import parse_datetime

from portal.core.guard.structure import Structure

Key = tuple[str, str]
APPLIED_TABLE: Final = "django_migrations"
RECORDED_TABLE: Final = "core_appliedmigration"


@dataclass(frozen=True, slots=True)
class Code:
    """The migrations on disk: which exist, and which of them stand for others (squashes)."""

    migrations: Mapping[Key, frozenset[Key]]

    @property
    def known(self) -> frozenset[Key]:
        """Every name that this code can explain."""
        return frozenset(self.migrations).union(*self.migrations.values())

    def pending(self, applied: frozenset[Key]) -> list[Key]:
        """What the migrate step still has to do, in name order."""
        replaced = frozenset[Key]().union(*self.migrations.values())
        return sorted(
            key
            for key, stands_for in self.migrations.items()
            if key not in applied and key not in replaced and not (stands_for and stands_for <= applied)
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """One applied migration: when, and ``expand``, ``contract`` or nothing when no migrate step of ours recorded it."""

    applied_at: datetime | None
    kind: str = ""


def on_disk() -> dict[Key, Migration]:
    """Every migration of every installed app, without asking a database."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return dict(loader.disk_migrations)


def ours() -> frozenset[str]:
    """The labels of this project's own apps."""
    base = Path(settings.BASE_DIR)
    paths = {config.label: Path(config.path) for config in apps.get_app_configs()}
    return frozenset(
        label
        for label, path in paths.items()
        # An environment may lie within the project's folder.
        if path.is_relative_to(base) and "site-packages" not in path.relative_to(base).parts
    )


def code() -> Code:
    """What this code knows."""
    return Code(
        {key: frozenset((app, name) for app, name in migration.replaces) for key, migration in on_disk().items()}
    )


def applied(connection: BaseDatabaseWrapper, structure: Structure) -> dict[Key, Recorded] | None:
    """What the database has; None when its own record cannot be read (a difference of ``structure`` says why)."""
    if not _has(structure, APPLIED_TABLE, "app", "name", "applied"):
        return None
    found = {(app, name): Recorded(_moment(at)) for app, name, at in _rows(connection, APPLIED_TABLE, "applied")}
    if _has(structure, RECORDED_TABLE, "app", "name", "kind"):
        for app, name, kind in _rows(connection, RECORDED_TABLE, "kind"):
            if (app, name) in found:
                found[app, name] = Recorded(found[app, name].applied_at, kind)
    return found


def _has(structure: Structure, table: str, *columns: str) -> bool:
    return table in structure.tables and set(columns) <= set(structure.tables[table].columns)


def _rows(connection: BaseDatabaseWrapper, table: str, last: str) -> Iterator[tuple[Any, ...]]:
    # Not through the models: their own tables may be the ones that differ.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT app, name, {last} FROM {table}")
        yield from cursor.fetchall()


def _moment(value: Any) -> datetime | None:
    found = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
