"""SQLite: a copy by its own backup, out of one read transaction; never a copy of the live file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connection

from portal.site.keeping.manifest import Look
from portal.site.keeping.refusals import Refused, one_line

FILE: Final = "database.sqlite3"
_WAIT_SECONDS: Final = 20


@dataclass(slots=True)
class SqliteSnapshot:
    """The database at one moment, while its block lasts."""

    source: sqlite3.Connection
    tables: dict[str, int]
    engine: str = "sqlite"
    server: str = sqlite3.sqlite_version
    file: str = FILE

    def texts(self, table: str, column: str, where: str) -> set[str]:
        """The texts of a column in this snapshot; empty where the database has no such table or column yet."""
        if column not in {row[1] for row in self.source.execute(f'PRAGMA table_info("{table}")')}:
            return set()
        return {row[0] for row in self.source.execute(f'SELECT "{column}" FROM "{table}" WHERE {where}')}

    def write(self, path: Path, look: Look) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
            # In one step and within our own read transaction: what is written meanwhile is of another snapshot.
            self.source.backup(target)
            # The copy is one file, without a log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        look()

    def counted(self, path: Path) -> dict[str, int]:
        """The rows of each table of a copy, read back. Raises ``Refused`` where it is not sound."""
        try:
            with contextlib.closing(_opened(path)) as found:
                found.execute("PRAGMA query_only = ON")
                said = found.execute("PRAGMA integrity_check(1)").fetchone()[0]
                if said != "ok":
                    raise Refused(f"{path.name} is damaged: {one_line(said)}")
                if broken := found.execute("PRAGMA foreign_key_check").fetchone():
                    raise Refused(f"{path.name} is damaged: a row of {broken[0]} points at none of {broken[2]}.")
                return _counts(found)
        except sqlite3.Error as error:
            raise Refused(f"{path.name} is damaged: {one_line(error)}") from None


@contextlib.contextmanager
def snapshot() -> Iterator[SqliteSnapshot]:
    """Raises ``Refused`` where there is no database."""
    path = place()
    if not path.is_file():
        raise Refused(f"There is no database in {path}: nothing to keep yet.")
    with contextlib.closing(_opened(path)) as source:
        source.execute("PRAGMA query_only = ON")
        source.execute("BEGIN")
        yield SqliteSnapshot(source, _counts(source))
        source.execute("ROLLBACK")


def refuse_unless_empty() -> None:
    path = place()
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(_opened(path)) as found:
            tables = _counts(found)
    except sqlite3.Error as error:
        raise Refused(f"{path} is in the way, and no database that can be read: {one_line(error)}") from None
    if tables:
        raise Refused(f"The database {path} is not empty: it has {len(tables)} tables. Move it away first.")


def refuse_unless_readable_here(server: str) -> None:
    """Any SQLite reads what another one wrote."""


def put_in(copy: Path) -> None:
    """Make the copy the database. Nobody may have it open."""
    connection.close()
    with (
        contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as source,
        contextlib.closing(sqlite3.connect(place(), isolation_level=None, timeout=_WAIT_SECONDS)) as target,
    ):
        # Through SQLite and not as files, so that a log of the old one is never taken for one of the new one.
        source.backup(target)
        target.execute("PRAGMA journal_mode = WAL")
    os.chmod(place(), 0o600)


def take_out() -> None:
    """Undo ``put_in`` where the rest of a restore failed."""
    connection.close()
    for ending in ("", "-wal", "-shm"):
        Path(f"{place()}{ending}").unlink(missing_ok=True)


def live_counts() -> dict[str, int]:
    with contextlib.closing(_opened(place())) as found:
        return _counts(found)


def place() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _opened(path: Path) -> sqlite3.Connection:
    found: sqlite3.Connection = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_SECONDS)
    return found


def _counts(source: Any) -> dict[str, int]:
    names = [
        row[0]
        for row in source.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        ).fetchall()
    ]
    return {name: source.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in sorted(names)}
