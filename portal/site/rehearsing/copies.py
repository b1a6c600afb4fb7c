"""A copy of the database in use, for as long as its block lasts.

One at a time: whoever holds the lock may remove what a killed rehearsal left,
which is known by its name.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core import limits
from portal.site.keeping import manifest, sqlite
from portal.site.keeping import postgresql as keeping
from portal.site.keeping.refusals import Refused
from portal.site.launching.lock import Held, Lock
from portal.site.rehearsing import postgresql

ALIAS: Final = "rehearsal"
# The copy, and what its tables take a second time while they are made anew.
_TIMES: Final = 2
_FILE: Final = re.compile(r"rehearsal-\d{8}T\d{6}\.sqlite3(-wal|-shm|-journal)?")
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Room:
    """What a copy takes, and what there is; ``free_bytes`` is None where the server's disk cannot be seen from here."""

    size_bytes: int
    free_bytes: int | None
    where: str

    @property
    def needed_bytes(self) -> int:
        return self.size_bytes * _TIMES

    def refuse_unless_enough(self) -> None:
        """Raises ``Refused``."""
        least = limits.value("DISK_LEAST_BYTES")
        if self.free_bytes is not None and self.free_bytes - least < self.needed_bytes:
            raise Refused(
                f"The copy does not fit: it takes up to {spelled(self.needed_bytes)}, and {self.where} has"
                f" {spelled(self.free_bytes)} free, of which {spelled(least)} stay free (DISK_LEAST_BYTES)."
            )

    def __str__(self) -> str:
        free = "unknown" if self.free_bytes is None else spelled(self.free_bytes)
        return f"The copy takes up to {spelled(self.needed_bytes)} of {self.where}; free there: {free}."


def spelled(size: int) -> str:
    """A size as people read it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def room() -> Room:
    """Raises ``Refused`` where the database does not answer."""
    if connection.vendor == "postgresql":
        size, folder = postgresql.measured()
        return Room(size, _free(folder), f"the server's disk ({folder})") if folder else Room(size, None, "the server")
    place = sqlite.place()
    files = (Path(f"{place}{ending}") for ending in ("", "-wal"))
    size = sum(path.stat().st_size for path in files if path.exists())
    return Room(size, _free(_folder()), str(_folder()))


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


@contextmanager
def made(say: Say) -> Iterator[BaseDatabaseWrapper]:
    """A connection to a fresh copy; it is removed whatever happens. Raises ``Refused``."""
    room().refuse_unless_enough()
    engine = _of_postgresql if connection.vendor == "postgresql" else _of_sqlite
    with engine(say) as name, _connected(name) as found:
        yield found


@contextmanager
def _connected(name: str) -> Iterator[BaseDatabaseWrapper]:
    stated: dict[str, Any] = copy.deepcopy(connection.settings_dict) | {"NAME": name}
    if connection.vendor == "postgresql":
        stated["OPTIONS"] = {key: value for key, value in stated["OPTIONS"].items() if key != "pool"}
        stated["OPTIONS"]["options"] = keeping.OPTIONS
    else:
        # Nobody minds the copy after a crash.
        stated["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF;PRAGMA foreign_keys=ON"
    connections.settings[ALIAS] = stated
    try:
        yield connections[ALIAS]
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]


def _of_postgresql(say: Say) -> AbstractContextManager[str]:
    return postgresql.made(f"{manifest.moment_now():%Y%m%dt%H%M%S}", say)


@contextmanager
def _of_sqlite(say: Say) -> Iterator[str]:
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(folder / "rehearsal.lock")
    try:
        lock.take()
    except Held as held:
        raise Refused(f"Process {held.pid or '(unknown)'} is rehearsing already; wait for it.") from None
    try:
        for left in _left(folder):
            say(f"Removed what a killed rehearsal left: {left.name}")
            left.unlink()
        path = folder / f"rehearsal-{manifest.moment_now():%Y%m%dT%H%M%S}.sqlite3"
        with sqlite.snapshot() as source:
            source.write(path, lambda: None)
        yield str(path)
    finally:
        for left in _left(folder):
            left.unlink()
        lock.release()


def _left(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))


def _folder() -> Path:
    found: Path = settings.DATA_DIR / "run"
    return found
