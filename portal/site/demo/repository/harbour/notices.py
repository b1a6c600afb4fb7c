"""Notices to mariners, from the database that the migrations make."""

from __future__ import annotations

import sqlite3
from contextlib import closing


def current(database: str) -> list[str]:
    """The notices in force; none where there is no database or no table yet."""
    if not database:
        return []
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return [str(text) for (text,) in connection.execute("SELECT text FROM notices ORDER BY n LIMIT 20")]
    except sqlite3.OperationalError:
        return []
