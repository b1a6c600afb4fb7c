"""PostgreSQL: pg_dump of a snapshot that our own session exported, so that dump and counts are of one moment."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from portal.site.keeping import programs
from portal.site.keeping.manifest import CHUNK, Look
from portal.site.keeping.refusals import Refused, one_line

FILE: Final = "database.dump"
_LOOK_SECONDS: Final = 0.5
# A dump waits for nobody's ALTER TABLE for ever, and our own session may be idle for as long as it takes.
_LOCK_WAIT: Final = "--lock-wait-timeout=30s"
OPTIONS: Final = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=30s"
_COPY: Final = re.compile(rb'COPY (?:"?\w+"?\.)?"?(\w+)"? \(.*\) FROM stdin;')
_SHARED: Final = ("--no-owner", "--no-privileges")


@dataclass(slots=True)
class PostgresqlSnapshot:
    """The database at one moment, while its block lasts."""

    source: psycopg.Connection[Any]
    tables: dict[str, int]
    name: str
    major: int
    engine: str = "postgresql"
    file: str = FILE

    @property
    def server(self) -> str:
        return str(self.major)

    def texts(self, table: str, column: str, where: str) -> set[str]:
        """The texts of a column in this snapshot; empty where the database has no such table or column yet."""
        known = self.source.execute(
            "SELECT 1 FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s AND column_name = %s",
            [table, column],
        )
        if known.fetchone() is None:
            return set()
        asked = sql.SQL("SELECT {} FROM {} WHERE ").format(sql.Identifier(column), sql.Identifier(table))
        return {row[0] for row in self.source.execute(asked + sql.SQL(where))}

    def write(self, path: Path, look: Look) -> None:
        argv = [str(programs.find("pg_dump", self.major)), "--format=custom", "--no-password", *_SHARED]
        with (
            open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file,
            _output([*argv, _LOCK_WAIT, f"--snapshot={self.name}"], look) as chunks,
        ):
            for chunk in chunks:
                file.write(chunk)

    def counted(self, path: Path) -> dict[str, int]:
        """The rows of each table in a dump, read back as pg_restore would send them. Raises ``Refused``."""
        argv = [str(programs.find("pg_restore", self.major)), "--file=-", str(path)]
        with _output(argv, lambda: None) as chunks:
            return _rows_sent(chunks)


@contextlib.contextmanager
def snapshot() -> Iterator[PostgresqlSnapshot]:
    """Raises ``Refused`` where the server does not answer, or its own programs are not here."""
    with session() as source:
        major = source.info.server_version // 10_000
        # Before any work: both are needed, since what was written is read back.
        for program in ("pg_dump", "pg_restore"):
            programs.find(program, major)
        source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = source.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield PostgresqlSnapshot(source, _counts(source), row[0], major)


def refuse_unless_empty() -> None:
    with session() as found:
        tables, functions = len(_tables(found)), len(_functions(found))
    if tables or functions:
        has = f"{tables} tables" if tables else f"{functions} functions"
        raise Refused(
            f"The database {connection.settings_dict['NAME']} is not empty: it has {has}."
            " Name a new one in DATABASE_URL."
        )


def refuse_unless_readable_here(server: str) -> None:
    """Raises ``Refused`` where this server is older than the one of the backup, or its pg_restore is not here."""
    here = _server_major()
    if int(server) > here:
        raise Refused(f"The backup is of PostgreSQL {server}; this server is PostgreSQL {here}, which is older.")
    programs.find("pg_restore", here)


def put_in(copy: Path) -> None:
    """All of the dump, or nothing. Raises ``Refused``."""
    name = make_conninfo(dbname=str(connection.settings_dict["NAME"]))
    argv = [str(programs.find("pg_restore", _server_major())), "--single-transaction", "--exit-on-error", *_SHARED]
    with _output([*argv, "--no-password", f"--dbname={name}", str(copy)], lambda: None) as chunks:
        for _ in chunks:
            pass


def fill(name: str) -> None:
    """Bring a dump of this database into the new database ``name`` of the same server, without a file between.

    Raises ``Refused``. If this process is killed, both programs end by their broken pipes.
    """
    major = _server_major()
    dump = [str(programs.find("pg_dump", major)), "--format=custom", "--no-password", *_SHARED, _LOCK_WAIT]
    restore = [str(programs.find("pg_restore", major)), "--exit-on-error", "--no-password", *_SHARED]
    restore.append(f"--dbname={make_conninfo(dbname=name)}")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            restore, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=_environment()
        )
        assert process.stdin is not None
        try:
            # What ends early says why itself.
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe, _output(dump, lambda: None) as chunks:
                for chunk in chunks:
                    pipe.write(chunk)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        if code:
            said.seek(0)
            raise Refused(f"pg_restore failed: {one_line(said.read(16_384).decode('utf-8', 'replace'))}")


def take_out() -> None:
    """Undo ``put_in`` where the rest of a restore failed; the place was empty before. One that failed left nothing."""
    with session() as found:
        for table in _tables(found):
            found.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
        for function in _functions(found):
            # As PostgreSQL itself names it, quoted where it has to be.
            found.execute(f"DROP FUNCTION {function}".encode())


def live_counts() -> dict[str, int]:
    with session() as found:
        return _counts(found)


def _rows_sent(chunks: Iterator[bytes]) -> dict[str, int]:
    """The rows that each COPY of a script sends."""
    found: dict[str, int] = {}
    table, rest = "", b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not table:
                if line.startswith(b"COPY ") and (stated := _COPY.fullmatch(line)):
                    table = stated[1].decode()
                    found[table] = 0
            elif line == b"\\.":
                table = ""
            else:
                found[table] += 1
    return found


@contextlib.contextmanager
def session(name: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, without the bounds that requests have; to another database of the server by its name.

    Raises ``Refused``.
    """
    stated = _parameters() | {"options": OPTIONS} | ({"dbname": name} if name else {})
    try:
        found = psycopg.connect(**stated, autocommit=True)
    except psycopg.Error as error:
        raise Refused(f"DATABASE_URL: the database does not answer: {one_line(error)}") from None
    with contextlib.closing(found):
        yield found


def _server_major() -> int:
    with session() as found:
        return found.info.server_version // 10_000


def _tables(source: psycopg.Connection[Any]) -> list[str]:
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) ORDER BY tablename"
    return [row[0] for row in source.execute(asked)]


def _functions(source: psycopg.Connection[Any]) -> list[str]:
    """Those that belong to no extension."""
    asked = (
        "SELECT p.oid::regprocedure::text FROM pg_proc p LEFT JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'"
        " WHERE p.pronamespace = current_schema()::regnamespace AND d.objid IS NULL ORDER BY 1"
    )
    return [row[0] for row in source.execute(asked)]


def _counts(source: psycopg.Connection[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in _tables(source):
        row = source.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        assert row is not None
        found[name] = row[0]
    return found


def _parameters() -> dict[str, Any]:
    """How libpq reaches the database: DATABASE_URL without what is Django's."""
    stated = connection.settings_dict
    found = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: str(stated[key]) for name, key in found.items() if stated[key]}
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    return {name: value for name, value in stated["OPTIONS"].items() if name in known} | given


def _environment() -> dict[str, str]:
    """The same for a program. Not in its arguments: everybody on the machine reads those."""
    stated = _parameters()
    stated.pop("options", None)
    variables = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults() if option.envvar}
    named = {variables[name].decode(): str(value) for name, value in stated.items() if name in variables}
    return os.environ | {"PGTZ": "UTC"} | named


@contextlib.contextmanager
def _output(argv: Sequence[str], look: Look) -> Iterator[Iterator[bytes]]:
    """What a program writes, in pieces. Raises ``Refused`` with its own words where it fails.

    It writes to us and not to a file: if this process is killed, it ends by the broken pipe.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=_environment()
        )
        assert process.stdout is not None
        try:
            yield _pieces(process.stdout, look)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if code:
            said.seek(0)
            words = said.read(16_384).decode("utf-8", "replace")
            raise Refused(f"{os.path.basename(argv[0])} failed: {one_line(words)}")


def _pieces(pipe: IO[bytes], look: Look) -> Iterator[bytes]:
    """Until its end; ``look`` is called at least twice a second, however slow it is."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            look()
            if selector.select(_LOOK_SECONDS):
                chunk = os.read(pipe.fileno(), CHUNK)
                if not chunk:
                    return
                yield chunk
