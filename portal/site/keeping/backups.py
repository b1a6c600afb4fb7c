"""A backup is one folder, and it is whole or it is not there.

It is written under a name that no backup has, read back, compared, and
renamed. Files are copied before and after the database's snapshot: what a row
of the snapshot names was there at that moment, so one of the two looks has
it, unless it came and was removed between them.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from django.conf import settings

import portal
from portal.core import limits
from portal.site.keeping import branches, contents, engines, manifest
from portal.site.keeping.manifest import Look, Manifest
from portal.site.keeping.refusals import Refused, one_line
from portal.site.launching.lock import Held, Lock
from tickets.models import Attachment

NAME: Final = re.compile(r"shiproom-\d{8}T\d{6}Z(-\d+)?")
MISSING_NAMED: Final = 100
_HALF: Final = ".half-"


@dataclass(frozen=True, slots=True)
class Backup:
    """One in its folder. ``damage`` says why its manifest cannot be read; where it can, the backup was verified."""

    path: Path
    manifest: Manifest | None
    damage: str = ""

    @property
    def name(self) -> str:
        return self.path.name


def folder() -> Path:
    """Where backups go that are told no other place."""
    found: Path = settings.DATA_DIR / "backups"
    return found


def make(to: Path | None = None, *, with_keys: bool = False, look: Look = lambda: None) -> Backup:
    """Make a backup, verify it, then let the oldest go beyond BACKUPS_KEPT.

    ``look`` is called often; what it raises ends the work. Raises ``Refused``;
    nothing is left then.
    """
    place = to or folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(place):
            _clear(place)
            made = _make(place, with_keys, look)
            _prune(place, limits.value("BACKUPS_KEPT"))
    except OSError as error:
        raise contents.words_of(error, place) from None
    except (psycopg.Error, sqlite3.Error) as error:
        raise Refused(f"The database cannot be read: {one_line(error)}") from None
    return made


def listed(place: Path | None = None, most: int | None = None) -> tuple[list[Backup], int]:
    """The newest, and how many more there are. Raises ``Refused`` where the folder cannot be read."""
    try:
        found = _whole(place or folder())
    except OSError as error:
        raise contents.words_of(error, place or folder()) from None
    shown = found if most is None else found[:most]
    return [_read(path) for path in shown], len(found) - len(shown)


def _read(path: Path) -> Backup:
    try:
        return Backup(path, manifest.read(path))
    except Refused as damage:
        return Backup(path, None, str(damage))


def _whole(place: Path) -> list[Path]:
    """Newest first."""
    if not place.is_dir():
        return []
    return sorted((path for path in place.iterdir() if NAME.fullmatch(path.name) and path.is_dir()), reverse=True)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    lock = Lock(place / ".lock")
    try:
        lock.take()
    except Held as held:
        raise Refused(f"Process {held.pid or '(unknown)'} is making a backup in {place}; wait for it.") from None
    try:
        yield
    finally:
        lock.release()


def _clear(place: Path) -> None:
    """What a killed process left: we hold the lock, so nobody works on it."""
    for half in place.glob(f"{_HALF}*"):
        contents.remove(half)


def _make(place: Path, with_keys: bool, look: Look) -> Backup:
    moment = manifest.moment_now()
    whole = _free(place, f"shiproom-{moment:%Y%m%dT%H%M%SZ}")
    half = place / f"{_HALF}{whole.name}"
    half.mkdir(mode=0o700)
    try:
        told = _fill(half, moment.isoformat(), with_keys, look)
        half.rename(whole)
    except BaseException:
        contents.remove(half)
        raise
    contents.sync_one(place)
    return Backup(whole, told)


def _free(place: Path, name: str) -> Path:
    path, number = place / name, 1
    while path.exists():
        number += 1
        path = place / f"{name}-{number}"
    return path


def _fill(half: Path, moment: str, with_keys: bool, look: Look) -> Manifest:
    digests = contents.copy_new(contents.ATTACHMENTS, half, look)
    digests |= contents.copy_grown(contents.SPOOLS, half, look)
    with engines.of_installation().snapshot() as snapshot:
        named = snapshot.texts(Attachment._meta.db_table, "stored_as", "removed_at IS NULL")
        snapshot.write(half / snapshot.file, look)
    _compare(snapshot.tables, snapshot.counted(half / snapshot.file))
    digests |= contents.copy_new(contents.ATTACHMENTS, half, look)
    digests |= contents.copy_grown(contents.SPOOLS, half, look)
    kept = branches.keep(half, look)
    if with_keys:
        digests |= contents.copy_keys(half)
    missing = [*sorted(named - {name.rpartition("/")[2] for name in digests}), *kept.lost]
    # Those that git and SQLite wrote are hashed as they lie there.
    for name in set(manifest.files_in(half)) - set(digests):
        digests[name] = manifest.digest_of(half / name, look)
    told = Manifest(
        form=manifest.FORM,
        made_at=moment,
        version=portal.__version__,
        engine=snapshot.engine,
        server=snapshot.server,
        database=snapshot.file,
        tables=snapshot.tables,
        # beside the database
        files=len(digests) - 1,
        size_bytes=sum((half / name).stat().st_size for name in digests),
        branches=kept.projects,
        missing=tuple(missing[:MISSING_NAMED]),
        missing_more=len(missing[MISSING_NAMED:]),
        with_keys=with_keys,
    )
    _seal(half, told, digests, look)
    return told


def _seal(half: Path, told: Manifest, digests: dict[str, str], look: Look) -> None:
    """Write what it says of itself, bring all onto the disk, and read it back."""
    contents.write(half / manifest.NAME, told.written())
    digests[manifest.NAME] = manifest.digest_of(half / manifest.NAME, look)
    contents.write(half / manifest.SUMS, manifest.sums_text(digests))
    contents.sync(half, [*digests, manifest.SUMS])
    manifest.verify(half, look)


def _compare(stated: dict[str, int], found: dict[str, int]) -> None:
    for table in sorted(stated.keys() | found.keys()):
        if stated.get(table) != found.get(table):
            raise Refused(
                f"The copy of the database is not what was counted: {table} has {found.get(table)} rows,"
                f" and had {stated.get(table)}. Nothing was kept."
            )


def _prune(place: Path, kept: int) -> None:
    for path in _whole(place)[kept:]:
        # Renamed first: what is half deleted is no backup either.
        half = path.with_name(f"{_HALF}{path.name}")
        os.rename(path, half)
        contents.remove(half)
