"""The end of an attempt: job, attempt, slots and subject in one transaction.

Whoever ends it (the worker that ran it, the sweep, a person) comes through
here, so that no subject stays "working" over a job that is over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.unit import unit_of_work
from workers import failures, kinds, statements, wakeups
from workers.models import Attempt, Job, JobState, LaneSlot, Outcome, SubjectSlot


class Took(NamedTuple):
    """What an attempt took: processor time of the worker and its children; at most, memory of a child."""

    cpu_ms: int
    memory_bytes: int | None


_STATES = {
    Outcome.SUCCEEDED: JobState.SUCCEEDED,
    Outcome.CANCELLED: JobState.CANCELLED,
}


def end_attempt(
    job_id: int,
    fence: int,
    outcome: Outcome,
    *,
    error: str = "",
    result: Any = None,
    delay_seconds: float | None = None,
    where: Q | None = None,
    took: Took | None = None,
) -> bool:
    """End the running attempt ``fence`` of a job; false where it is not running under that fence (nothing written).

    A failure within its budget queues the job again after a backoff, or after
    ``delay_seconds`` where it is parked; past it the job is dead. What did not
    succeed ends as cancelled once a cancel was asked. ``where`` narrows the row further (the sweep: expired).
    """
    with unit_of_work():
        job = _held(job_id, fence, where)
        if job is None:
            return False
        if job.cancel_at is not None and outcome not in {Outcome.SUCCEEDED, Outcome.CANCELLED}:
            # It would go again, against the wish of whoever was told that it stops.
            outcome, error = Outcome.CANCELLED, f"Stopped on request. {error}".strip()
        earlier = 0
        if failures.counts(outcome):
            earlier = Attempt.objects.filter(job_id=job_id, outcome=outcome, counted=True).exclude(fence=fence).count()
        again = failures.may_retry(outcome, earlier, job.max_failures)
        state = JobState.QUEUED if again else _STATES.get(outcome, JobState.DEAD)
        delay = delay_seconds if outcome is Outcome.PARKED else None
        if again and delay is None:
            delay = failures.backoff_seconds(outcome, earlier)
        _end(job, state, outcome, error, delay, took)
        _settle(job, fence, outcome, error, final=not again, result=result)
        reach(Failpoint.IN_SETTLE)
        if job.lane or job.exclusive or delay == 0:
            # What waited for the slot, or was handed back, may be claimed now.
            wakeups.after_commit(job.pool)
    return True


def succeed(job_id: int, fence: int, kind: str, result: Any, took: Took | None = None) -> bool:
    """``end_attempt`` as succeeded; in one statement where the kind settles nothing and the engine can."""
    registered = kinds.get(kind)
    plain = registered is not None and registered.settle is kinds.nothing_to_settle
    if not plain or connection.vendor != "postgresql" or connection.in_atomic_block:
        return end_attempt(job_id, fence, Outcome.SUCCEEDED, result=result, took=took)
    values: dict[str, Any] = {"job": job_id, "fence": fence, "cpu": None, "memory": None}
    if took is not None:
        values |= {"cpu": took.cpu_ms, "memory": took.memory_bytes}
    for pool, freed in statements.prepared(statements.SUCCEED_POSTGRESQL, values):
        if freed:
            wakeups.announce(pool)
        return True
    return False


def end_unsettled(job_id: int, fence: int, error: str, *, where: Q | None = None) -> bool:
    """The last resort where ``settle`` itself raises: the job is dead, holds no slot, and says why.

    Its subject was not moved; ``requeued`` moves it when somebody requeues the job.
    """
    with unit_of_work() as work:
        job = _held(job_id, fence, where)
        if job is None:
            return False
        sentence = f"It ended, but what it was for could not be told: {error}"
        _end(job, JobState.DEAD, Outcome.FAILED, sentence, None)
        moved: dict[str, Any] = {"before": {"state": "running"}, "after": {"state": "dead"}}
        work.record("job.unsettled", job.name, reason=sentence, scope=job.audience, **moved)
        wakeups.after_commit(job.pool)
    return True


def end_queued(job_id: int, outcome: Outcome, error: str) -> bool:
    """End a job that waits; false where it does not wait any more."""
    with unit_of_work():
        rows = Job.objects.filter(pk=job_id, state=JobState.QUEUED)
        if rows.update(state=_STATES.get(outcome, JobState.DEAD), error=error, finished_at=Wall()) != 1:
            return False
        job = Job.objects.only("kind", "pool", "subject", "payload").get(pk=job_id)
        _settle(job, None, outcome, error, final=True, result=None)
    return True


def _held(job_id: int, fence: int, where: Q | None) -> Job | None:
    """The job's row, locked, if it runs under this fence: whoever has the lock ends it, alone."""
    rows = Job.objects.filter(where or Q(), pk=job_id, fence=fence, state=JobState.RUNNING)
    fields = ("kind", "pool", "lane", "exclusive", "subject", "payload", "fence", "cancel_at", "max_failures")
    return rows.select_for_update().only(*fields).first()


def _end(
    job: Job, state: JobState, outcome: Outcome, error: str, delay: float | None, took: Took | None = None
) -> None:
    """``delay`` is the wait until the next attempt, where there is one."""
    changes: dict[str, Any] = {"state": state, "worker": "", "lease_until": None, "error": error}
    changes |= {"finished_at": Wall()} if delay is None else {"run_after": Wall(delay)}
    Job.objects.filter(pk=job.pk).update(**changes)
    ended: dict[str, Any] = {"outcome": outcome, "error": error, "ended_at": Wall()}
    if took is not None:
        ended |= {"cpu_ms": took.cpu_ms, "memory_bytes": took.memory_bytes}
    Attempt.objects.filter(job_id=job.pk, fence=job.fence).update(**ended)
    if job.exclusive:
        SubjectSlot.objects.filter(job_id=job.pk).delete()
    if job.lane:
        LaneSlot.objects.filter(job_id=job.pk).update(job=None)


def _settle(job: Job, fence: int | None, outcome: Outcome, error: str, *, final: bool, result: Any) -> None:
    kind = kinds.get(job.kind)
    if kind is not None and kind.settle is not kinds.nothing_to_settle:
        attempt = None
        if fence is not None:
            attempt = Attempt.objects.filter(job_id=job.pk, fence=fence).values_list("pk", flat=True).first()
        kind.settle(kinds.Ending(job.pk, attempt, job.subject, job.payload, outcome, error, final, result))
