"""What the clock mends: expired leases, pools with due work that nobody was told of, old rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db.models import OuterRef, Q, Subquery

from portal.core import cause as causes
from portal.core import clock, limits
from portal.core.cause import Actor
from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from workers import failures, kinds, retention, wakeups
from workers.ending import end_attempt, end_queued, end_unsettled
from workers.models import Attempt, Job, JobState, Outcome, Pool

log = structlog.get_logger(__name__)
SWEEP_MOST_JOBS = 200
PRUNE_EVERY_SECONDS = 600.0
PRUNE_SECONDS = 2.0
CLOCK = Actor("clock", "", "the clock")


_watches: Final[list[Callable[[], object]]] = []


def watch(look: Callable[[], object]) -> None:
    """``look`` is called with every tick, by the layer whose rows wait for something. Many at once are harmless."""
    if look not in _watches:
        _watches.append(look)


def look_around() -> None:
    """Do what the layers above watch for; one that fails keeps no other from it."""
    for look in _watches:
        try:
            look()
        except Exception as problem:
            log.exception("watch_failed", watch=look.__qualname__)
            if failures.is_outage(problem):
                raise


def sweep() -> int:
    """End attempts whose lease is over; returns how many. Many sweepers at once are harmless."""
    expired = Q(lease_until__lt=Wall())
    began = Attempt.objects.filter(job_id=OuterRef("pk"), fence=OuterRef("fence")).values("started_at")[:1]
    rows = Job.objects.filter(expired, state=JobState.RUNNING).annotate(began=Subquery(began)).order_by("id")
    ended = 0
    for row in list(rows.values("pk", "fence", "worker", "lease_until", "began")[:SWEEP_MOST_JOBS]):
        outcome, error = _lost(row["worker"], row["lease_until"], row["began"])
        reach(Failpoint.IN_SWEEP)
        with causes.acting(CLOCK, because="sweep"):
            try:
                ended += end_attempt(row["pk"], row["fence"], outcome, error=error, where=expired)
            except Exception as problem:
                # One job that cannot be settled must not keep the others waiting, nor come back at every sweep.
                log.exception("sweep_failed", job=row["pk"])
                if not failures.is_outage(problem):
                    ended += end_unsettled(row["pk"], row["fence"], failures.described(problem), where=expired)
    return ended


def _lost(worker: str, lease_until: datetime | None, began: datetime) -> tuple[Outcome, str]:
    """A lease that still ends where the claim set it was never renewed: its worker may not even have begun."""
    if lease_until is not None and lease_until <= began + timedelta(seconds=limits.value("LEASE_SECONDS")):
        return Outcome.UNSEEN, f"Worker {worker} was lost before its first heartbeat."
    return Outcome.LOST, f"Worker {worker} was lost: its lease ran out."


def refuse_unknown() -> int:
    """Bury due jobs of kinds that no code here knows; returns how many.

    They are given the longest backoff first: new code may still be on its way
    to the processes that run it.
    """
    known = [name for pool in Pool for short in (True, False) for name in kinds.names(pool, short=short)]
    waited = Wall(-limits.value("RETRY_CAP_SECONDS"))
    rows = Job.objects.filter(state=JobState.QUEUED, run_after__lt=waited).exclude(kind__in=known).order_by("id")
    found = list(rows.values_list("pk", "kind")[:SWEEP_MOST_JOBS])
    with causes.acting(CLOCK, because="sweep"):
        return sum(
            end_queued(pk, Outcome.BAD_INPUT, f"Bad input: no kind of job is named {kind}.") for pk, kind in found
        )


def announce_due() -> list[str]:
    """Wake every pool that has due work: for wake-ups that were lost, and jobs whose time has come."""
    due = Job.objects.filter(state=JobState.QUEUED, run_after__lte=clock.now())
    pools = [pool for pool in Pool.values if due.filter(pool=pool).exists()]
    for pool in pools:
        wakeups.announce(pool)
    return pools


_pruned_at = -PRUNE_EVERY_SECONDS


def prune_if_due() -> bool:
    """Every ten minutes of this process, forget what is old; what takes longer than a moment goes on at the next tick.

    Leases are swept and schedules taken between two of these moments.
    """
    global _pruned_at
    if not retention.is_under_way():
        if time.monotonic() - _pruned_at < PRUNE_EVERY_SECONDS:
            return False
        _pruned_at = time.monotonic()
    with causes.acting(CLOCK, because="retention"):
        retention.go_on(PRUNE_SECONDS)
    return True
