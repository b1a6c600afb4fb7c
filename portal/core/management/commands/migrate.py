"""Django's migrate, one step at a time, that records what older code may run beside."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from portal.core.guard import expansion
from portal.core.guard.step_lock import step_lock


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        """As Django's. Two steps at once run one after the other; a step that fails half-way records its half."""
        if options["plan"] or options["check_unapplied"]:
            return super().handle(*args, **options)
        connection = connections[options["database"]]
        with step_lock(connection, self.stdout.write):
            if connection.vendor == "sqlite":
                # Kept in the file. Every connection asking for it would meet "locked" beside another's first.
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA journal_mode = WAL")
            try:
                return super().handle(*args, **options)
            finally:
                expansion.record(connection)
