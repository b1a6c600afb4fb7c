"""The database's clock.

Leases are set and compared by the database alone, inside the statement that
writes them: workers' clocks differ, and PostgreSQL's ``now()`` stands still
within a transaction (measured: a lease written after a lock wait was already
over). ``wall()`` goes on ticking.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Func


class Wall(Func):
    """The database's wall clock, plus whole seconds, as an expression."""

    output_field = DateTimeField()
    arity = 0

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        super().__init__()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:
        return "(clock_timestamp() + make_interval(secs => %s))", [float(self.seconds)]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        # The form in which Django writes and compares datetimes on SQLite: microseconds, no zone.
        return "(strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s) || '000')", [f"{self.seconds:+.3f} seconds"]

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        raise NotImplementedError(f"no clock for {connection.vendor}")


class HoursAgo(Func):
    """The database's wall clock, less as many whole hours as a column or an expression says."""

    output_field = DateTimeField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:
        sql, params = self.as_sql(
            compiler, connection, template="(clock_timestamp() - make_interval(hours => %(expressions)s))"
        )
        return sql, list(params)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        hours = "'-' || %(expressions)s || ' hours'"
        template = f"(strftime('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'now', {hours}) || '000')"
        sql, params = self.as_sql(compiler, connection, template=template)
        return sql, list(params)


def now() -> datetime:
    """The database's time, asked for now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            found: datetime = cursor.fetchone()[0]
            return found
        cursor.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return datetime.fromisoformat(cursor.fetchone()[0] + "+00:00")


def ago(moment: datetime, asked: datetime) -> timedelta:
    """How long before ``asked`` the ``moment`` was; never negative."""
    return max(asked - moment, timedelta(0))
