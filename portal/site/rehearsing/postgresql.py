"""The copy on PostgreSQL: a database beside the one in use, filled by a dump, or as a template where none is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from django.db import connection
from psycopg import sql

from portal.site.keeping import postgresql as keeping
from portal.site.keeping import programs
from portal.site.keeping.refusals import Refused, one_line

# The lock's number, beside one for the database; and where it is held: whoever is connected to a database keeps
# others from copying it as it is.
_KEY: Final = 0x5348_5245
_ELSEWHERE: Final = "postgres"
_PROVIDERS: Final = {"c": "libc", "i": "icu", "b": "builtin"}
Say = Callable[[str], object]
Session = psycopg.Connection[Any]


def measured() -> tuple[int, Path | None]:
    """How large the database is, and where the server keeps it if that is on this machine. Raises ``Refused``."""
    with keeping.session() as source:
        row = source.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        host = source.info.host
        if not (host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}):
            return row[0], None
        try:
            stated = source.execute("SHOW data_directory").fetchone()
        except psycopg.Error:
            # Not everybody may ask.
            return row[0], None
    return row[0], Path(stated[0]) if stated else None


@contextmanager
def made(moment: str, say: Say) -> Iterator[str]:
    """The name of the copy. Raises ``Refused``."""
    own = str(connection.settings_dict["NAME"])
    digest = hashlib.sha256(own.encode()).hexdigest()[:6]
    stem = f"{own[:25]}_{digest}_rehearsal_"
    # Its lock goes with the session, and the session with this process.
    with keeping.session(_ELSEWHERE) as holder:
        if not _takes(holder, int(digest, 16)):
            raise Refused("Another process is rehearsing already; wait for it.")
        for left in _left(holder, stem):
            say(f"Removed what a killed rehearsal left: {left}")
            _drop(holder, left)
        name = stem + moment
        try:
            _make(holder, own, name)
            yield name
        finally:
            _drop(holder, name)


def _takes(holder: Session, database: int) -> bool:
    row = holder.execute("SELECT pg_try_advisory_lock(%s::integer, %s::integer)", [_KEY, database]).fetchone()
    return row is not None and bool(row[0])


def _left(holder: Session, stem: str) -> list[str]:
    rows = holder.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [stem])
    pattern = re.compile(re.escape(stem) + r"\d{8}t\d{6}")
    return sorted(row[0] for row in rows if pattern.fullmatch(row[0]))


def _drop(holder: Session, name: str) -> None:
    holder.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _make(holder: Session, own: str, name: str) -> None:
    try:
        major = holder.info.server_version // 10_000
        for program in ("pg_dump", "pg_restore"):
            programs.find(program, major)
    except Refused as missing:
        return _copy_unused(holder, own, name, missing)
    try:
        holder.execute(_like(holder, own, name))
    except psycopg.Error as error:
        raise _refusal(error) from None
    keeping.fill(name)
    return None


def _like(holder: Session, own: str, name: str) -> sql.Composed:
    """An empty database that sorts and folds texts as this one does."""
    column = "datlocale" if holder.info.server_version >= 170_000 else "daticulocale"
    asked = sql.SQL(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider::text, {}"
        " FROM pg_database WHERE datname = {}"
    )
    row = holder.execute(asked.format(sql.Identifier(column), own)).fetchone()
    assert row is not None
    encoding, collate, ctype, provider, locale = row
    made = sql.SQL(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} LOCALE_PROVIDER {}"
    ).format(sql.Identifier(name), encoding, collate, ctype, sql.SQL(_PROVIDERS[provider]))
    if provider == "c":
        return made
    option = "ICU_LOCALE" if provider == "i" else "BUILTIN_LOCALE"
    return made + sql.SQL(f" {option} {{}}").format(locale)


def _copy_unused(holder: Session, own: str, name: str, missing: Refused) -> None:
    """As the server itself copies: only while nobody is connected, this process neither."""
    connection.close()
    try:
        holder.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(own)))
    except psycopg.errors.ObjectInUse:
        raise Refused(f"{missing} Without it only a database that nobody is connected to is copied.") from None
    except psycopg.Error as error:
        raise _refusal(error) from None


def _refusal(error: psycopg.Error) -> Refused:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Refused(
            "The database's user may not make a database for the copy:"
            f' ALTER ROLE "{connection.settings_dict["USER"]}" CREATEDB lets it.'
        )
    return Refused(f"No database for the copy could be made: {one_line(error)}")
