"""A worker process: its name, its lease-keeper, its drain, from start to stop."""

from __future__ import annotations

from typing import Any

import structlog
from celery.worker import state as celery_state
from django.db import close_old_connections
from django.db.utils import Error as DatabaseFailure

from workers import presence, sweeping
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Pool

log = structlog.get_logger(__name__)


def stopping() -> bool:
    """Celery's own flags, set by its signal handlers: TERM finishes or hands back, QUIT ends."""
    # By identity: a warm stop is asked for with exit code 0, which equals False.
    flags: tuple[Any, ...] = (celery_state.should_stop, celery_state.should_terminate)
    return any(flag is not None and flag is not False for flag in flags)


class WorkerProcess:
    """The one of this process; made when Celery's worker is ready."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.name = presence.process_name(pool)
        self.keeper = LeaseKeeper(self.name)
        self.drain = Drain(pool, self.name, self.keeper, stopping)
        self._arrived = False

    def start(self) -> None:
        self.keeper.start()
        log.info("worker_ready", worker=self.name)

    def stop(self) -> None:
        self.keeper.stop()
        try:
            presence.left(self.name)
        except DatabaseFailure:
            log.warning("worker_left_unsaid", worker=self.name)

    def look(self) -> None:
        """Sweep and drain without any message; what fails is tried at the next look."""
        if self.drain.busy:
            return
        try:
            close_old_connections()
            if not self._arrived:
                presence.arrived(self.name, self.pool)
                self._arrived = True
            sweeping.sweep()
            self.drain.run()
        except DatabaseFailure as error:
            log.warning("look_failed", error=type(error).__name__)
            close_old_connections()


_current: WorkerProcess | None = None


def begin(pool: Pool) -> WorkerProcess:
    global _current
    _current = WorkerProcess(pool)
    _current.start()
    return _current


def current() -> WorkerProcess | None:
    """None outside a Celery worker."""
    return _current
