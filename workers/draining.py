"""A drain: claim what is due, run it, end it, until nothing is due or the budget is spent.

One worker process is one slot: it runs one job at a time in its main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.db.utils import Error as DatabaseFailure

from portal.core import cause as causes
from portal.core import limits
from portal.core.cause import Actor, Cause
from workers import claims, failures, fencing, kinds, wakeups
from workers.claims import Cancelled, Claim, Interrupted, LeaseLost
from workers.ending import end_attempt
from workers.failures import JobFailed
from workers.leases import LeaseKeeper
from workers.models import Outcome, Pool

log = structlog.get_logger(__name__)


class Drain:
    """What a worker process does with its pool. ``stopping`` is asked between jobs and by running ones."""

    def __init__(self, pool: Pool | str, worker: str, keeper: LeaseKeeper, stopping: Callable[[], bool]) -> None:
        self.pool, self.worker, self.keeper, self.stopping = str(pool), worker, keeper, stopping
        self.busy = False

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
        while not self.stopping():
            batch = self._claim()
            if not batch:
                return done
            self._run_batch(batch)
            done += len(batch)
            if len(batch) > 1 or time.monotonic() > until:
                # More may be due: another worker should look too, and this one comes up for air.
                wakeups.announce(self.pool)
            if time.monotonic() > until:
                return done
        return done

    def _claim(self) -> list[Claim]:
        short = kinds.names(self.pool, short=True)
        batch = claims.claim(self.pool, short, worker=self.worker, most=limits.value("DRAIN_BATCH_JOBS"))
        return batch or claims.claim(self.pool, kinds.names(self.pool, short=False), worker=self.worker, most=1)

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
        cause = Cause(actor, claim.cause.get("request_id") or causes.new_request_id(), f"job:{claim.job_id}/{claim.fence}")
        with causes.bound(cause):
            try:
                result = self._handle(claim)
            except LeaseLost:
                log.warning("claim_lost", job=claim.job_id, fence=claim.fence)
            except Cancelled:
                self._end(claim, Outcome.CANCELLED, "Stopped on request.", None)
            except Interrupted:
                self._end(claim, Outcome.RELEASED, "The worker was stopped; the job was handed back.", None)
            except JobFailed as failure:
                self._end(claim, failure.outcome, failures.described(failure), None)
            except Exception as error:
                log.exception("job_failed", job=claim.job_id, kind=claim.kind)
                self._end(claim, Outcome.FAILED, failures.described(error), None)
            else:
                self._end(claim, Outcome.SUCCEEDED, "", result)

    def _handle(self, claim: Claim) -> Any:
        kind = kinds.get(claim.kind)
        if kind is None:
            raise failures.BadInput(f"No kind of job is named {claim.kind}.")
        claim.interrupted = self.stopping
        with fencing.reading_only():
            return kind.run(claim)

    def _end(self, claim: Claim, outcome: Outcome, error: str, result: Any) -> None:
        """End the attempt; where the database is away, again until the lease must be distrusted."""
        while True:
            try:
                if not end_attempt(claim.job_id, claim.fence, outcome, error=error, result=result):
                    log.warning("fenced_out", job=claim.job_id, fence=claim.fence)
                return
            except DatabaseFailure as failure:
                if claim.lost or claim.seconds_left <= 1 or not _is_outage(failure):
                    # The sweep ends it: settled by whoever comes next.
                    log.exception("attempt_not_ended", job=claim.job_id, fence=claim.fence)
                    return
                time.sleep(1)
            except Exception as error_in_settle:
                log.exception("settle_failed", job=claim.job_id, kind=claim.kind)
                if outcome in {Outcome.FAILED, Outcome.BAD_INPUT}:
                    return
                outcome, error, result = Outcome.FAILED, failures.described(error_in_settle), None


def _is_outage(failure: DatabaseFailure) -> bool:
    from django.db import InterfaceError, OperationalError, connection

    if isinstance(failure, OperationalError | InterfaceError):
        connection.close()
        return True
    return False
