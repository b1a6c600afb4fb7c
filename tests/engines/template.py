"""A migrated database, made once and copied: a migrate from nothing costs seconds, a copy none."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.engines import postgresql

ROOT = Path(__file__).resolve().parent.parent.parent
# Names the template that all runs of one engine copy; a run by itself makes one where a test needs it.
VARIABLE = "TEST_TEMPLATE_URL"


@dataclass(slots=True)
class Template:
    """A migrated database that nobody is connected to. ``server_url`` is the server of it and of its copies."""

    url: str
    server_url: str
    folder: Path
    made: int = 0

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a fresh database, gone afterwards."""
        self.made += 1
        url = place(self.server_url, self.folder, f"stack_{os.getpid()}_{self.made}")
        self.copy_to(url)
        yield url
        drop(url)

    def copy_to(self, url: str) -> None:
        """Make the database ``url``, which is not there yet."""
        if not _is_file(url):
            postgresql.create_database(self.server_url, name_of(url), template=name_of(self.url))
            return
        source, target = sqlite3.connect(name_of(self.url)), sqlite3.connect(name_of(url))
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)


def make(url: str, server_url: str, environment: Mapping[str, str]) -> None:
    """Migrate the new database ``url`` as an installation would."""
    if not _is_file(url):
        postgresql.create_database(server_url, name_of(url))
    argv = [sys.executable, str(ROOT / "manage.py"), "migrate", "--no-input", "--skip-checks", "-v", "0"]
    done = subprocess.run(argv, env={**environment, "DATABASE_URL": url}, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"migrate of the template failed: {done.stderr[-2000:]}")


def place(server_url: str, folder: Path, name: str) -> str:
    """The URL of a database of that name: a file in ``folder``, or on the server."""
    if _is_file(server_url):
        return f"sqlite:///{folder / name}.sqlite3"
    return postgresql.database_url(server_url, name)


def name_of(url: str) -> str:
    """The name that Django knows the database by: of a file its path."""
    return url.removeprefix("sqlite:///") if _is_file(url) else url.rpartition("/")[2]


def drop(url: str) -> None:
    if not _is_file(url):
        postgresql.drop_database(url.rpartition("/")[0] + "/postgres", name_of(url))
        return
    path = Path(name_of(url))
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()


def _is_file(url: str) -> bool:
    return url.startswith("sqlite")


@contextlib.contextmanager
def given_or_made(server_url: str, folder: Path) -> Iterator[Template]:
    """The template that the runs share, or one of this run alone."""
    if given := os.environ.get(VARIABLE):
        yield Template(given, server_url, folder)
    else:
        url = place(server_url, folder, f"template_{os.getpid()}")
        make(url, server_url, os.environ)
        yield Template(url, server_url, folder)
        drop(url)
    shutil.rmtree(folder, ignore_errors=True)
