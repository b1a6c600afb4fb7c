"""The end of an attempt: job, attempt, slots and subject in one transaction.

Whoever ends it (the worker that ran it, the sweep, a person) comes through
here, so that no subject stays "working" over a job that is over.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from portal.core.clock import Wall
from portal.core.unit import unit_of_work
from workers import failures, kinds, wakeups
from workers.models import Attempt, Job, JobState, LaneSlot, Outcome, SubjectSlot

_STATES = {
    Outcome.SUCCEEDED: JobState.SUCCEEDED,
    Outcome.CANCELLED: JobState.CANCELLED,
}


def end_attempt(
    job_id: int, fence: int, outcome: Outcome, *, error: str = "", result: Any = None, where: Q | None = None
) -> bool:
    """End the running attempt ``fence`` of a job; false where it is not running under that fence (nothing written).

    A failure within its budget queues the job again after a backoff; past it
    the job is dead. ``where`` narrows the row further (the sweep: expired).
    """
    with unit_of_work():
        earlier = Attempt.objects.filter(job_id=job_id, outcome=outcome, counted=True).exclude(fence=fence).count()
        again = failures.may_retry(outcome, earlier)
        state = JobState.QUEUED if again else _STATES.get(outcome, JobState.DEAD)
        changes: dict[str, Any] = {"state": state, "worker": "", "lease_until": None, "error": error}
        if again:
            changes["run_after"] = Wall(failures.backoff_seconds(outcome, earlier))
        else:
            changes["finished_at"] = Wall()
        rows = Job.objects.filter(pk=job_id, fence=fence, state=JobState.RUNNING)
        if where is not None:
            rows = rows.filter(where)
        if rows.update(**changes) != 1:
            return False
        Attempt.objects.filter(job_id=job_id, fence=fence, outcome=Outcome.RUNNING).update(
            outcome=outcome, error=error, ended_at=Wall()
        )
        _free(job_id)
        _settle(job_id, fence, outcome, error, final=not again, result=result)
    return True


def end_queued(job_id: int, outcome: Outcome, error: str) -> bool:
    """End a job that waits; false where it does not wait any more."""
    with unit_of_work():
        rows = Job.objects.filter(pk=job_id, state=JobState.QUEUED)
        if rows.update(state=_STATES.get(outcome, JobState.DEAD), error=error, finished_at=Wall()) != 1:
            return False
        _settle(job_id, None, outcome, error, final=True, result=None)
    return True


def _free(job_id: int) -> None:
    SubjectSlot.objects.filter(job_id=job_id).delete()
    LaneSlot.objects.filter(job_id=job_id).update(job=None)


def _settle(job_id: int, fence: int | None, outcome: Outcome, error: str, *, final: bool, result: Any) -> None:
    job = Job.objects.values("kind", "pool", "subject", "payload").get(pk=job_id)
    attempt = Attempt.objects.filter(job_id=job_id, fence=fence).values_list("pk", flat=True).first() if fence else None
    kind = kinds.get(job["kind"])
    if kind is not None:
        kind.settle(kinds.Ending(job_id, attempt, job["subject"], job["payload"], outcome, error, final, result))
    # A slot is free, or a retry is due soon: somebody should look.
    wakeups.after_commit(job["pool"])
