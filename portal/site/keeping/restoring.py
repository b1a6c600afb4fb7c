"""A backup becomes an installation again, in a place where nothing is.

Everything is read and compared before anything is written. What then differs
from the backup is what must not go on as it was: claims of workers that are
gone, sessions, and the epochs of streams, whose later numbers somebody may
have seen. Nothing is sent and nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.utils import Error as DatabaseFailure

from portal.core import guard, secrets
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import Refused as Unreadable
from portal.core.models import Secret
from portal.core.unit import unit_of_work
from portal.live import publishing
from portal.site.keeping import branches, contents, engines, manifest
from portal.site.keeping.engines import Engine
from portal.site.keeping.manifest import Manifest
from portal.site.keeping.refusals import Refused, one_line
from portal.site.launching.lock import Held, Lock
from workers.models import Job, JobState, Worker

_PAST_SECONDS: Final = -1


@dataclass(slots=True)
class Restored:
    """What was done; ``report`` is the guard's answer to the restored schema."""

    manifest: Manifest
    report: guard.Report
    expired: int = 0
    ended_sessions: int = 0
    keys: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)


def restore(folder: Path) -> Restored:
    """Raises ``Refused``; nothing is changed then."""
    told = _checked(folder)
    engine = engines.of_installation()
    with _alone():
        _refuse_unless_empty(engine, told)
        done = _put_in(folder, told, engine)
        done.keys = contents.put_keys_back(folder) if told.with_keys else []
    return done


def _checked(folder: Path) -> Manifest:
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder: name that of a backup.")
    told = manifest.read(folder)
    if told.engine != settings.ENGINE:
        named, here = (engines.WORDS.get(engine, engine) for engine in (told.engine, settings.ENGINE))
        raise Refused(f"The backup is of {named}; DATABASE_URL names {here}.")
    try:
        return manifest.verify(folder)
    except OSError as error:
        raise contents.words_of(error, folder) from None


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody starts the installation meanwhile."""
    lock = Lock(settings.DATA_DIR / "run" / "up.lock")
    lock.path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        lock.take()
    except Held as held:
        raise Refused(f"{settings.DATA_DIR} is served by process {held.pid or '(unknown)'}; stop it first.") from None
    try:
        yield
    finally:
        lock.release()


def _refuse_unless_empty(engine: Engine, told: Manifest) -> None:
    engine.refuse_unless_readable_here(told.server)
    engine.refuse_unless_empty()
    if path := contents.first_in_the_way():
        raise Refused(f"DATA_DIR is not empty: there is {path}. Move it away, or name another folder in DATA_DIR.")


def _put_in(folder: Path, told: Manifest, engine: Engine) -> Restored:
    made: list[Path] = []
    try:
        # The database last: until it is there, nothing starts on what is half there.
        made += contents.put_back(folder, lambda: None)
        made += branches.put_back(folder, lambda: None)
        engine.put_in(folder / told.database)
        _compare(told, engine.live_counts())
        return _settle(told)
    except BaseException as problem:
        for path in made:
            contents.remove(path)
        engine.take_out()
        if isinstance(problem, OSError):
            raise contents.words_of(problem, settings.DATA_DIR) from None
        if isinstance(problem, DatabaseFailure):
            raise Refused(f"The database refused the backup: {one_line(problem)}") from None
        raise


def _compare(told: Manifest, found: dict[str, int]) -> None:
    for table in sorted(told.tables.keys() | found.keys()):
        if told.tables.get(table) != found.get(table):
            raise Refused(f"{table} has {found.get(table)} rows; the backup has {told.tables.get(table)}.")


def _settle(told: Manifest) -> Restored:
    """End what must not go on. Touches no column that any schema lacks, since the restored one may be an older one."""
    report = guard.look()
    done = Restored(told, report)
    with transaction.atomic():
        # Into the past and no further: the sweep ends these attempts as it ends every one whose worker is gone.
        running = Job.objects.filter(state=JobState.RUNNING)
        done.expired = running.update(lease_until=Wall(_PAST_SECONDS))
        Worker.objects.filter(state=Worker.State.ALIVE).update(state=Worker.State.STOPPED)
        publishing.renew_epochs()
        done.ended_sessions = Session.objects.all().delete()[0]
    if report.may_start:
        _record(told)
        done.sealed = _unreadable_secrets()
    connection.close()
    return done


def _record(told: Manifest) -> None:
    with acting(Actor("command", "restore", "restore")), unit_of_work() as work:
        work.record("installation.restored", "installation", after={"backup": told.made_at, "rows": told.rows})


def _unreadable_secrets() -> list[str]:
    """Those that were sealed with another key than this installation has."""
    found = []
    for name in Secret.objects.order_by("name").values_list("name", flat=True):
        try:
            secrets.reveal(name)
        except Unreadable:
            found.append(name)
    return found
