"""Bring the database to what a built commit needs; with --undo: take back what that commit brought.

Each migration is a pair of files: NAME.sql, and NAME.undo.sql for the way back. The table "applied" says which
are in, and by which commit. Both ways may be run more than once. With --probe: is all of it in?
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def applied(connection: sqlite3.Connection) -> dict[str, str]:
    """Migration to the commit that brought it, the oldest first."""
    connection.execute("CREATE TABLE IF NOT EXISTS applied (name TEXT PRIMARY KEY, by_commit TEXT NOT NULL)")
    return dict(connection.execute("SELECT name, by_commit FROM applied ORDER BY name").fetchall())


def run(connection: sqlite3.Connection, script: Path, note: str, values: tuple[str, ...]) -> None:
    """The script and its note in one transaction: a half migration is none."""
    statements = [part.strip() for part in script.read_text(encoding="utf-8").split(";") if part.strip()]
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(note, values)


def main() -> int:
    commit, folder = os.environ["SHIPROOM_COMMIT"], Path(os.environ["DEPLOY_FOLDER"])
    scripts = folder / "releases" / commit / "migrations"
    wanted = sorted(path.stem for path in scripts.glob("*.sql") if not path.stem.endswith(".undo"))
    with closing(sqlite3.connect(folder / "harbour.sqlite3", isolation_level=None)) as connection:
        there = applied(connection)
        missing = [name for name in wanted if name not in there]
        if "--probe" in sys.argv:
            return 1 if missing else 0
        if "--undo" in sys.argv:
            brought = [name for name, by in reversed(there.items()) if by == commit]
            for name in brought:
                run(connection, scripts / f"{name}.undo.sql", "DELETE FROM applied WHERE name = ?", (name,))
            print(f"Took back: {', '.join(brought) or 'nothing'}.")
            return 0
        for name in missing:
            run(connection, scripts / f"{name}.sql", "INSERT INTO applied VALUES (?, ?)", (name, commit))
        print(f"Applied: {', '.join(missing) or 'nothing new'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
