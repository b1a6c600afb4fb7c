"""Django's migrate, one step at a time, that records what older code may run beside, and waits for what it may not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import pre_migrate

from portal.core import limits
from portal.core.guard import beside, expansion
from portal.core.guard.step_lock import step_lock

OLD_CODE_RUNS: Final = 5
logger = logging.getLogger("portal.core.guard")


class OldCodeRuns(CommandError):
    """Nothing was migrated: processes run that the step would break."""


class Command(migrate.Command):
    # Given by a rehearsal, whose copy has rows of processes and nobody who runs on it.
    stealth_options = ("alone",)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=int,
            metavar="SECONDS",
            help="for processes of other code, beside which a contract step may not run (LEASE_SECONDS)",
        )
        parser.add_argument("--beside-old-code", default="", metavar="REASON", help="do not wait for them; logged")

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
                with self._waiting(connection, options):
                    return super().handle(*args, **options)
            finally:
                expansion.record(connection)

    @contextmanager
    def _waiting(self, connection: BaseDatabaseWrapper, options: dict[str, Any]) -> Iterator[None]:
        """Look who runs beside, between the plan and its first step: only Django's own signal names the plan."""
        asked = False

        def look(plan: beside.Plan, **given: Any) -> None:
            nonlocal asked
            if not asked:
                asked = True
                self._wait(connection, plan, options)

        if options["fake"] or options.get("alone"):
            yield
            return
        pre_migrate.connect(look, weak=False)
        try:
            yield
        finally:
            pre_migrate.disconnect(look)

    def _wait(self, connection: BaseDatabaseWrapper, plan: beside.Plan, options: dict[str, Any]) -> None:
        reason, seconds = options["beside_old_code"], options["wait"]
        if seconds is None:
            seconds = limits.value("LEASE_SECONDS")
        try:
            beside.wait(connection, plan, self.stdout.write, 0 if reason else seconds)
        except beside.OldCodeRuns as found:
            if not reason:
                more = f'{found} Or --beside-old-code "why"'
                raise OldCodeRuns(more, returncode=OLD_CODE_RUNS) from None
            logger.warning("migrate beside other code: %s. %s", reason, found)
            self.stderr.write(f"Beside other code ({reason}): {found}")
