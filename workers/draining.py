"""A drain: claim what is due, run it, end it, until nothing is due or the budget is spent.

One worker process is one slot: it runs one job at a time in its main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection
from django.db.utils import Error as DatabaseFailure

from portal.core import cause as causes
from portal.core import limits
from portal.core.cause import Actor, Cause
from portal.core.failpoints import Failpoint, reach
from workers import claims, failures, fencing, kinds, room, wakeups
from workers.claims import Cancelled, Claim, Interrupted, LeaseLost
from workers.ending import Took, end_attempt, end_unsettled, succeed
from workers.failures import JobFailed, Parked
from workers.leases import LeaseKeeper
from workers.models import Outcome, Pool

log = structlog.get_logger(__name__)
OTHERS_SECONDS = 1.0


class Drain:
    """What a worker process does with its pool. ``stopping`` is asked between jobs and by running ones."""

    def __init__(self, pool: Pool | str, worker: str, keeper: LeaseKeeper, stopping: Callable[[], bool]) -> None:
        self.pool, self.worker, self.keeper, self.stopping = str(pool), worker, keeper, stopping
        self.busy = False
        self._short_next = True
        # whether the last batch was all that was asked for, so that there may be more
        self._full = False
        # of the last batch, where all of it was of one kind: a flood of it must not keep others waiting
        self._flooding = ""
        self._others_at = 0.0

    def run(self) -> int:
        """Returns how many jobs were run. Re-entered (a timer during a job), it does nothing."""
        if self.busy:
            return 0
        self.busy = True
        try:
            return self._run()
        finally:
            self.busy = False

    def _run(self) -> int:
        # Before the first claim: what is enqueued from here on must wake somebody again.
        wakeups.clear(self.pool)
        done, until = 0, time.monotonic() + limits.value("DRAIN_BUDGET_SECONDS")
        lingering = wakeups.Lingering(self.pool, self.stopping)
        try:
            while not self.stopping():
                batch = self._claim()
                if not batch:
                    # Who found nothing at all was called in vain, and does not stay.
                    if not done or time.monotonic() > until or not lingering.again():
                        return done
                    continue
                reach(Failpoint.AFTER_CLAIM)
                if self._full:
                    # More may be due, and this worker is busy from here on: another one should look. Who is at a
                    # few short jobs goes on listening, and hears of more as soon as they are done.
                    lingering.leave()
                    wakeups.announce(self.pool)
                self._run_batch(batch)
                done += len(batch)
                lingering.stay()
                if time.monotonic() > until:
                    # Come up for air; a message brings this worker, or another, back.
                    wakeups.announce(self.pool)
                    return done
            return done
        finally:
            if lingering.leave():
                wakeups.announce(self.pool)

    def _claim(self) -> list[Claim]:
        """Short jobs by the batch and others one by one, in turns, so that a stream of either starves no other."""
        for _ in range(2):
            self._short_next = not self._short_next
            most = 1 if self._short_next else limits.value("DRAIN_BATCH_JOBS")
            names = kinds.names(self.pool, short=not self._short_next)
            batch = self._claim_others(names, most) or claims.claim(self.pool, names, worker=self.worker, most=most)
            if batch:
                found, self._full = {claim.kind for claim in batch}, len(batch) == most
                self._flooding = found.pop() if self._full and len(found) == 1 else self._flooding
                return batch
        # At rest: what comes next is most likely short.
        self._short_next = True
        return []

    def _claim_others(self, names: list[str], most: int) -> list[Claim]:
        """Once a second of a flood, what is not of it: due jobs are claimed by age, and so behind all of the flood.

        It reads over the flood to find them, which is why it is not done at every claim.
        """
        now = time.monotonic()
        if self._flooding not in names or len(names) < 2 or now - self._others_at < OTHERS_SECONDS:
            return []
        self._others_at = now
        others = [name for name in names if name != self._flooding]
        self._flooding = ""
        return claims.claim(self.pool, others, worker=self.worker, most=most)

    def _run_batch(self, batch: list[Claim]) -> None:
        with self.keeper.holding(batch):
            for claim in batch:
                if self.stopping():
                    self._end(claim, Outcome.RELEASED, "The worker stopped before it began.", None)
                else:
                    self._run_one(claim)
                self.keeper.let_go(claim)

    def _run_one(self, claim: Claim) -> None:
        actor = Actor("worker", self.worker, self.worker)
        cause = Cause(
            actor, claim.cause.get("request_id") or causes.new_request_id(), f"job:{claim.job_id}/{claim.fence}"
        )
        claim.cpu_from_seconds = time.process_time()
        with causes.bound(cause):
            try:
                result = self._handle(claim)
            except LeaseLost:
                log.warning("claim_lost", job=claim.job_id, fence=claim.fence)
            except Cancelled:
                self._end(claim, Outcome.CANCELLED, "Stopped on request.", None)
            except Interrupted:
                self._end(claim, Outcome.RELEASED, "The worker was stopped; the job was handed back.", None)
            except Parked as parked:
                self._end(claim, Outcome.PARKED, failures.described(parked), None, parked.delay_seconds)
            except JobFailed as failure:
                self._end_failed(claim, failure.outcome, failure)
            except Exception as error:
                log.exception("job_failed", job=claim.job_id, kind=claim.kind)
                self._end_failed(claim, Outcome.FAILED, error)
            else:
                self._end(claim, Outcome.SUCCEEDED, "", result)

    def _end_failed(self, claim: Claim, outcome: Outcome, error: Exception) -> None:
        if no_room := room.behind(error):
            self._end(claim, Outcome.PARKED, failures.described(no_room), None, no_room.delay_seconds)
        else:
            self._end(claim, outcome, failures.described(error), None)

    def _handle(self, claim: Claim) -> Any:
        kind = kinds.get(claim.kind)
        if kind is None:
            raise failures.BadInput(f"No kind of job is named {claim.kind}.")
        claim.interrupted = self.stopping
        # It may have waited behind others of its batch, and been lost or cancelled meanwhile.
        claim.check()
        reach(Failpoint.BEFORE_RUN)
        with fencing.reading_only():
            return kind.run(claim)

    def _end(self, claim: Claim, outcome: Outcome, error: str, result: Any, delay_seconds: float | None = None) -> None:
        """End the attempt; where ``settle`` raises, as failed; where it raises again, without it."""
        took = _took(claim)
        reach(Failpoint.BEFORE_FINISH)

        def end() -> bool:
            if outcome is Outcome.SUCCEEDED:
                return succeed(claim.job_id, claim.fence, claim.kind, result, took)
            how: dict[str, Any] = {"error": error, "delay_seconds": delay_seconds, "took": took}
            return end_attempt(claim.job_id, claim.fence, outcome, **how)

        try:
            ended = self._insist(claim, end)
        except Exception as problem:
            log.exception("settle_failed", job=claim.job_id, kind=claim.kind)
            why = failures.described(problem)
            if outcome is Outcome.FAILED:
                ended = self._insist(claim, lambda: end_unsettled(claim.job_id, claim.fence, why))
            else:
                self._end(claim, Outcome.FAILED, why, None)
                return
        reach(Failpoint.AFTER_FINISH)
        if not ended:
            log.warning("fenced_out", job=claim.job_id, fence=claim.fence)

    def _insist(self, claim: Claim, end: Callable[[], bool]) -> bool:
        """Again while the database is away, for as long as a lease; after that the sweep ends the attempt."""
        until = time.monotonic() + limits.value("LEASE_SECONDS")
        while True:
            try:
                return end()
            except DatabaseFailure as failure:
                if not failures.is_outage(failure):
                    raise
                log.warning("end_waits", job=claim.job_id, error=type(failure).__name__)
                connection.close()
                if claim.lost or claim.seconds_left <= 1 or time.monotonic() > until or self.stopping():
                    return False
                time.sleep(1)


def _took(claim: Claim) -> Took | None:
    """Of a job that was run; one that was handed back before it began took nothing."""
    if claim.cpu_from_seconds is None:
        return None
    seconds = time.process_time() - claim.cpu_from_seconds + claim.child_cpu_seconds
    return Took(round(1000 * seconds), claim.child_memory_bytes)
