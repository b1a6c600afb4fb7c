"""From SQLite to PostgreSQL: every row of every table, in one transaction, compared before it is committed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import environ
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.utils import Error as DatabaseFailure
from psycopg import Error as DriverFailure

from portal.site.keeping import quiet
from portal.site.keeping.refusals import Refused, one_line

TARGET: Final = "target"
SOURCE: Final = "default"
_ROWS: Final = 1000
# What migrations write themselves. All but the first is replaced by the rows of the source.
OF_MIGRATIONS: Final = ("django_migrations", "django_content_type", "auth_permission", "core_appliedmigration")
_OPTIONS: Final = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=30s"

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Moved:
    tables: int
    rows: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Of the rows of a table, whatever their order."""

    rows: int
    sum: int


def move(url: str, say: Say) -> Moved:
    """Copy this installation's SQLite database to the PostgreSQL at ``url``; the source stays as it is.

    Raises ``Refused``: then the target has no row of ours.
    """
    if settings.ENGINE != "sqlite":
        raise Refused("DATABASE_URL names PostgreSQL already: there is nothing to move.")
    if busy := quiet.served() or quiet.at_work():
        raise Refused(f"{busy} Stop every process first: what they write would be left behind.")
    with _target(url):
        _refuse_unless_empty()
        say("The target is migrated.")
        _migrate()
        # The source's own transaction keeps writers out until the copy was compared.
        with transaction.atomic(using=SOURCE), _copying():
            return _copy(say)


@contextmanager
def _target(url: str) -> Iterator[None]:
    connections.settings[TARGET] = _settings(url)
    try:
        connections[TARGET].ensure_connection()
        yield
    except DatabaseFailure as error:
        raise Refused(f"The target does not take it: {one_line(error)}") from None
    finally:
        connections[TARGET].close()
        del connections[TARGET]
        del connections.settings[TARGET]


def _settings(url: str) -> dict[str, Any]:
    """Raises ``Refused`` without repeating the address: it has a password in it."""
    form = "postgres://user:password@host:port/name"
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"postgres", "postgresql"} or parts.port == 0:
            raise ValueError
        found: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except (ImproperlyConfigured, ValueError):
        raise Refused(f"The target is not of the form {form}.") from None
    if not found.get("NAME"):
        raise Refused(f"The target names no database; it is of the form {form}.")
    found["OPTIONS"] = {**found.get("OPTIONS", {}), "connect_timeout": 5, "options": _OPTIONS}
    given = {SOURCE: settings.DATABASES[SOURCE], TARGET: found}
    return dict(connections.configure_settings(given)[TARGET])


def _refuse_unless_empty() -> None:
    """Tables that nobody has filled are what an earlier try left."""
    target = connections[TARGET]
    with target.cursor() as cursor:
        for table in sorted(target.introspection.table_names(cursor)):
            if table in OF_MIGRATIONS:
                continue
            cursor.execute(f"SELECT 1 FROM {target.ops.quote_name(table)} LIMIT 1")
            if cursor.fetchone():
                raise Refused(f"The target is not empty: {table} has rows. Name a new database.")


def _migrate() -> None:
    call_command("migrate", database=TARGET, interactive=False, verbosity=0)


@contextmanager
def _copying() -> Iterator[None]:
    try:
        with transaction.atomic(using=TARGET):
            yield
    except DriverFailure as error:
        raise Refused(f"The target refuses a row: {one_line(error)}") from None


def _copy(say: Say) -> Moved:
    tables = sorted(_tables(), key=lambda model: model._meta.db_table)
    target = connections[TARGET]
    with target.cursor() as cursor:
        for model in tables:
            cursor.execute(f"DELETE FROM {target.ops.quote_name(model._meta.db_table)}")
        sent = {model: _send(model, cursor) for model in tables}
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in target.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
    for model, digest in sent.items():
        _compare(model, digest)
        if digest.rows:
            say(f"{model._meta.db_table}: {digest.rows} rows, the same in both.")
    return Moved(len(tables), sum(digest.rows for digest in sent.values()))


def _tables() -> list[type[models.Model]]:
    """One model for each table that the code owns, those between many and many too."""
    found = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return list(found.values())


def _fields(model: type[models.Model]) -> list[Any]:
    """Its own columns, but those that the database computes."""
    return [field for field in model._meta.local_concrete_fields if field.column and not field.generated]


def _rows_of(model: type[models.Model], fields: Sequence[Any], using: str) -> Iterator[tuple[Any, ...]]:
    names = [field.attname for field in fields]
    rows = model._base_manager.using(using).order_by().values_list(*names)
    yield from rows.iterator(chunk_size=_ROWS)


def _send(model: type[models.Model], cursor: Any) -> Digest:
    target, fields = connections[TARGET], _fields(model)
    columns = ", ".join(target.ops.quote_name(field.column) for field in fields)
    count, total = 0, 0
    with cursor.copy(f"COPY {target.ops.quote_name(model._meta.db_table)} ({columns}) FROM STDIN") as copy:
        for row in _rows_of(model, fields, SOURCE):
            count, total = count + 1, total + _number(row)
            # Not pre_save: a moved row keeps the time at which it was changed.
            copy.write_row([field.get_db_prep_save(value, target) for field, value in zip(fields, row, strict=True)])
    return Digest(count, total)


def _compare(model: type[models.Model], sent: Digest) -> None:
    found = Digest(0, 0)
    for row in _rows_of(model, _fields(model), TARGET):
        found = Digest(found.rows + 1, found.sum + _number(row))
    if found != sent:
        raise Refused(
            f"{model._meta.db_table} is not the same in the target ({sent.rows} rows sent, {found.rows} found)."
            " Nothing was moved."
        )


def _number(row: tuple[Any, ...]) -> int:
    """A row as a number: their sum says whether two tables have the same rows."""
    return int.from_bytes(hashlib.sha256(json.dumps([_plain(value) for value in row]).encode()).digest(), "big")


def _plain(value: Any) -> Any:
    """A value in the one form that both engines give."""
    match value:
        case dict():
            return {str(name): _plain(value[name]) for name in sorted(value)}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            # jsonb writes 1e20 with all its digits.
            return int(value) if value.is_integer() else value
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID() | timedelta():
            return str(value)
    return value
