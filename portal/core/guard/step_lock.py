"""One migrate step at a time, over all machines on PostgreSQL, over all processes of the data folder on SQLite."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

# Any number that nothing else in the database uses.
_KEY: Final = 0x5348_4950
_PAUSE_SECONDS: Final = 0.2
_SAY_EVERY_SECONDS: Final = 10.0


@contextlib.contextmanager
def step_lock(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of the migrate step; waits for another step as long as it runs and says so through ``say``.

    The lock goes with its process: a killed step leaves none behind.
    """
    holder = _advisory(connection, say) if connection.vendor == "postgresql" else _file(say)
    with holder:
        yield


def _wait(try_it: Callable[[], bool], say: Callable[[str], object]) -> None:
    began = said = time.monotonic() - _SAY_EVERY_SECONDS
    began += _SAY_EVERY_SECONDS
    while not try_it():
        if time.monotonic() - said >= _SAY_EVERY_SECONDS:
            said = time.monotonic()
            say(f"Another migrate step is running; waiting for it ({said - began:.0f} s so far).")
        time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def _advisory(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> Iterator[None]:
    def run(statement: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return bool(cursor.fetchone()[0])

    # Polled, because waiting inside PostgreSQL would end at the connection's lock_timeout.
    _wait(lambda: run(f"SELECT pg_try_advisory_lock({_KEY})"), say)
    # The connection's bounds are made for requests; filling a column of a large table takes longer.
    timeouts = ("statement_timeout", "idle_in_transaction_session_timeout")
    try:
        for name in timeouts:
            run(f"SELECT set_config('{name}', '0', false)")
        yield
    finally:
        # A connection that died meanwhile took its lock and its settings with it.
        with contextlib.suppress(Error):
            for name in timeouts:
                run(f"SELECT set_config('{name}', reset_val, false) FROM pg_settings WHERE name = '{name}'")
            run(f"SELECT pg_advisory_unlock({_KEY})")


@contextlib.contextmanager
def _file(say: Callable[[str], object]) -> Iterator[None]:
    folder = settings.DATA_DIR / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "migrate.lock").open("a") as handle:

        def take() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait(take, say)
        yield
