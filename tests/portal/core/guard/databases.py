"""Migrated databases of a test's own: made once, copied for each test that breaks one."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.engines import postgresql
from tests.engines.template import Template, name_of

ROOT = Path(__file__).resolve().parents[4]
MANAGE = (sys.executable, str(ROOT / "manage.py"))


@dataclass(frozen=True, slots=True)
class Database:
    """One database, the environment of processes that use it, and ways to change it by hand."""

    engine: str
    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        data = {"DATABASE_URL": self.url, "DATA_DIR": str(self.folder), "DJANGO_SETTINGS_MODULE": "portal.settings"}
        return {**os.environ, **data, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def run(self, *argv: str, within: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
        """A process of its own, with the environment and ``more`` variables; its code is that in the folder."""
        environment = self.environment | more
        return subprocess.run(
            argv, cwd=within, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110
        )

    def manage(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(*MANAGE, *arguments, **more)

    def execute(self, *statements: str) -> None:
        """Change the database behind the portal's back."""
        if self.engine == "postgresql":
            with psycopg.connect(self.url, autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement.encode())
        else:
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """This database as the one that this process works with."""
        default = connections["default"]
        before = default.settings_dict["NAME"]
        default.close()
        default.settings_dict["NAME"] = name_of(self.url)
        try:
            yield
        finally:
            default.close()
            default.settings_dict["NAME"] = before

    @contextlib.contextmanager
    def connected(self, alias: str = "own") -> Iterator[BaseDatabaseWrapper]:
        """This database as a connection of this process, under ``alias``."""
        settings: dict[str, Any] = copy.deepcopy(connections.settings["default"])
        connections.settings[alias] = settings | {"NAME": name_of(self.url)}
        try:
            yield connections[alias]
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


class Ground:
    """Makes databases: ``empty`` ones, and copies of ``template``."""

    def __init__(self, engine: str, server: str, folder: Path, template: Template) -> None:
        self.engine, self.server, self.folder, self.template = engine, server, folder, template
        self._made: list[str] = []

    def empty(self) -> Database:
        return self._make("template0")

    def migrated(self) -> Database:
        if self.engine == "postgresql":
            return self._make(name_of(self.template.url))
        made = self._make("")
        self.template.copy_to(made.url)
        return made

    def copy(self, template: Database) -> Database:
        """Another database with the structure and the rows of one that nobody is connected to."""
        if self.engine == "postgresql":
            return self._make(name_of(template.url))
        made = self._make("")
        shutil.copy(template.folder / "own.sqlite3", made.folder)
        return made

    def _make(self, template: str) -> Database:
        name = f"guard_{uuid.uuid4().hex[:12]}"
        folder = self.folder / name
        (folder / "run").mkdir(mode=0o700, parents=True)
        if self.engine == "sqlite":
            return Database(self.engine, f"sqlite:///{folder / 'own.sqlite3'}", folder)
        postgresql.create_database(self.server, name, template=template)
        self._made.append(name)
        return Database(self.engine, postgresql.database_url(self.server, name), folder)

    def close(self) -> None:
        for name in self._made:
            postgresql.drop_database(self.server, name)
