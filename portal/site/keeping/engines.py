"""The two engines behind one face."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from django.db import connection

from portal.site.keeping import postgresql, sqlite
from portal.site.keeping.manifest import Look

WORDS: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


class Snapshot(Protocol):
    """The database at one moment: ``tables`` counts the rows of each, ``write`` makes a copy of that very moment."""

    tables: dict[str, int]
    engine: str
    file: str

    @property
    def server(self) -> str: ...

    def texts(self, table: str, column: str, where: str) -> set[str]: ...

    def write(self, path: Path, look: Look) -> None: ...

    def counted(self, path: Path) -> dict[str, int]: ...


class Engine(Protocol):
    """What ``sqlite`` and ``postgresql`` do; each raises ``Refused``."""

    FILE: str

    def snapshot(self) -> AbstractContextManager[Snapshot]: ...

    def refuse_unless_empty(self) -> None: ...

    def refuse_unless_readable_here(self, server: str) -> None: ...

    def put_in(self, copy: Path) -> None: ...

    def take_out(self) -> None: ...

    def live_counts(self) -> dict[str, int]: ...


def of_installation() -> Engine:
    """The engine that DATABASE_URL names."""
    return postgresql if connection.vendor == "postgresql" else sqlite
