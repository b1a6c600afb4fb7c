"""Before a schema is migrated under rows: a backup, and the way back where it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import Error as DatabaseFailure

from portal.core import guard
from portal.site.keeping import backups, quiet, sqlite
from portal.site.keeping.refusals import Refused, one_line

Say = Callable[[str], object]


class MigrationFailed(Exception):
    """The message says what failed, where the backup is, and what to do."""


def migrate(say: Say) -> None:
    """Migrate; a database with rows is backed up first.

    Raises ``Refused`` where that cannot be done, and nothing is migrated then;
    ``MigrationFailed`` where a migration fails.
    """
    backup = _backup(say) if settings.BACKUP_BEFORE_MIGRATE and _is_due() else None
    alone = backup is not None and not _at_work()
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as problem:
        # Whatever a migration raises; what it leaves is a database between two versions.
        if backup is None:
            raise
        raise MigrationFailed(_failed(problem, backup, alone)) from problem


def _is_due() -> bool:
    """Whether migrations are pending on a database that has somebody's rows."""
    report = guard.look()
    if report.answer is guard.Answer.DOWN or not report.pending or report.code == "schema_empty":
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM core_user LIMIT 1")
            return cursor.fetchone() is not None
    except DatabaseFailure:
        return False


def _backup(say: Say) -> Path:
    say("The schema follows the code: a backup first.")
    try:
        made = backups.make()
    except Refused as refusal:
        raise Refused(
            f"No backup could be made before the migration: {refusal}"
            " Nothing was migrated. BACKUP_BEFORE_MIGRATE=0 goes without one."
        ) from None
    say(f"The backup is {made.path}")
    return made.path


def _at_work() -> str:
    try:
        return quiet.at_work()
    except DatabaseFailure:
        # An older schema of workers: nobody can tell.
        return "unknown"


def _failed(problem: Exception, backup: Path, alone: bool) -> str:
    said = f"A migration failed ({type(problem).__name__}: {one_line(problem)})."
    if connection.vendor == "sqlite" and alone and not _at_work():
        # Nobody else has written since the backup, so nothing is lost by it. On PostgreSQL each migration is a
        # transaction, and another machine may be at work: there a person decides.
        _put_back(backup)
        return (
            f"{said} The database is again what it was before, from {backup}: start the code that ran before,"
            " or mend the migration and start again."
        )
    return (
        f"{said} The backup from before it is {backup}. To go back: stop every process, go back to the code that ran"
        f" before, name an empty place in DATA_DIR and DATABASE_URL, and run manage.py restore {backup}"
    )


def _put_back(backup: Path) -> None:
    if connection.in_atomic_block:
        transaction.set_rollback(True)
    sqlite.put_in(backup / sqlite.FILE)
