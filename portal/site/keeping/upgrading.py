"""Before a schema is migrated under rows: a rehearsal, a backup, and the way back where it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseFailure

from portal.core import guard, limits
from portal.core.guard import beside
from portal.core.management.commands.migrate import OldCodeRuns
from portal.site.keeping import backups, quiet, sqlite
from portal.site.keeping.refusals import Refused, one_line
from portal.site.rehearsing import copies, records, rounds
from portal.site.rehearsing.rounds import Outcome

Say = Callable[[str], object]


class MigrationFailed(Exception):
    """The message says what failed, where the backup is, and what to do."""


def migrate(say: Say) -> None:
    """Migrate; for a database with rows it is rehearsed first, and a backup made.

    Raises ``Refused`` where the rehearsal fails, no backup can be made, or
    processes run that a migration would break: nothing is migrated then;
    ``MigrationFailed`` where a migration fails.
    """
    due = _is_due()
    if due:
        _refuse_beside(say)
    outcome = _rehearse(say) if due else None
    backup = _backup(say) if settings.BACKUP_BEFORE_MIGRATE and due else None
    alone = backup is not None and not _at_work()
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OldCodeRuns as found:
        # Started since we looked; nothing was touched.
        raise Refused(str(found)) from None
    except Exception as problem:
        # Whatever a migration raises; what it leaves is a database between two versions.
        if backup is None:
            raise
        raise MigrationFailed(_failed(problem, backup, alone)) from problem
    if outcome is not None:
        # Now there is a table for it, whatever was there before.
        records.store(outcome)


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


def _refuse_beside(say: Say) -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    try:
        beside.wait(connection, plan, say, limits.value("LEASE_SECONDS"))
    except beside.OldCodeRuns as found:
        raise Refused(f'{found} Or manage.py migrate --beside-old-code "why" first.') from None


def _rehearse(say: Say) -> Outcome | None:
    """What the rehearsal found, or nothing where there was none: then it says why. Raises ``Refused``."""
    most = limits.value("REHEARSAL_MAX_BYTES")
    if not most:
        return None
    try:
        if (size := copies.room().size_bytes) > most:
            say(
                f"The migrations are not rehearsed: the database has {copies.spelled(size)}, more than"
                f" {copies.spelled(most)} (REHEARSAL_MAX_BYTES). manage.py rehearse_migrations does it."
            )
            return None
        say("The migrations are rehearsed on a copy first.")
        outcome = rounds.rehearse(say)
    except Refused as refusal:
        say(f"The migrations are not rehearsed: {refusal}")
        return None
    say(records.text(outcome))
    if outcome.passed:
        return outcome
    records.store(outcome)
    raise Refused(
        f"The migrations failed their rehearsal: {outcome.faults[0]} Nothing was migrated."
        " REHEARSAL_MAX_BYTES=0 goes without one."
    )


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
