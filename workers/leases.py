"""The lease-keeper: the one thread of a worker process.

It renews every claim of the process in one statement, marks those that did
not come back as lost, hears of cancels, and says that the worker is alive.
It has a database connection of its own, so a handler's transaction or its
read-only session never stands in its way. While the database is away it goes
on trying; what the handler may believe runs out by the worker's own clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import connection
from django.db.utils import Error as DatabaseFailure

from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from workers import claims, presence
from workers.claims import Claim
from workers.models import Job

log = structlog.get_logger(__name__)
RETRY_SECONDS = 1.0


class LeaseKeeper:
    """Renews what is put under ``holding``. Start once in a worker process; ``stop`` ends the thread."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._held: set[Claim] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    @contextmanager
    def holding(self, batch: list[Claim]) -> Iterator[None]:
        with self._lock:
            self._held.update(batch)
        try:
            yield
        finally:
            with self._lock:
                self._held.difference_update(batch)

    def let_go(self, claim: Claim) -> None:
        """The attempt has ended: its lease is no longer ours to renew."""
        with self._lock:
            self._held.discard(claim)

    def _loop(self) -> None:
        due = time.monotonic() + limits.value("HEARTBEAT_SECONDS")
        while not self._stop.wait(min(limits.value("CANCEL_LOOK_SECONDS"), max(0.0, due - time.monotonic()))):
            try:
                if time.monotonic() < due:
                    self._hear()
                    continue
                self._beat()
                due = time.monotonic() + limits.value("HEARTBEAT_SECONDS")
            except DatabaseFailure as error:
                log.warning("heartbeat_failed", error=type(error).__name__)
                connection.close()
                due = min(due, time.monotonic() + RETRY_SECONDS)
            except Exception:
                # Without this thread every lease of the process runs out.
                log.exception("heartbeat_broken")
                due = time.monotonic() + RETRY_SECONDS
        connection.close()

    def _hear(self) -> None:
        """Between two renewals: who asked for a stop does not wait for the next one."""
        with self._lock:
            held = {claim.job_id: claim for claim in self._held if not claim.cancel_asked}
        if held:
            asked = Job.objects.filter(pk__in=list(held), cancel_at__isnull=False).values_list("pk", "fence")
            for job, fence in asked:
                held[job].cancel_asked = held[job].cancel_asked or held[job].fence == fence

    def _beat(self) -> None:
        with self._lock:
            held = list(self._held)
        asked_at = time.monotonic()
        alive = claims.renew(held)
        reach(Failpoint.MID_RENEW)
        for claim in held:
            if claim.job_id in alive:
                claim.renewed(asked_at)
                claim.cancel_asked = claim.cancel_asked or alive[claim.job_id]
            elif claim in self._held:
                # Not one that ended while the statement ran.
                log.warning("lease_lost", job=claim.job_id, fence=claim.fence)
                claim.lost = True
        presence.seen(self.worker)
