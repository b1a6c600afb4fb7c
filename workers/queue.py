"""Enqueue, cancel, requeue: what people and the layers above do to jobs.

A job is inserted in the caller's transaction, so it exists if and only if
what asked for it does; the wake-up goes out after the commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from portal.core import cause as causes
from portal.core import unit
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused
from portal.core.unit import unit_of_work
from workers import kinds, statements, wakeups
from workers.ending import end_queued
from workers.models import LIVE_STATES, Attempt, Job, JobState, Lane, LaneSlot, Outcome, Pause, Pool

KIND_LANE: Final = "kind:"
_INSERTED: Final = (
    "kind",
    "lane",
    "subject",
    "exclusive",
    "unique_key",
    "host",
    "max_failures",
    "audience",
    "priority",
)


def enqueue(
    kind: str,
    *,
    subject: str = "",
    payload: dict[str, Any] | None = None,
    unique_key: str = "",
    lane: str = "",
    exclusive: bool = False,
    audience: str = "",
    priority: int = 0,
    delay_seconds: float = 0,
    host: str = "",
    max_failures: int = 0,
) -> Job:
    """Insert a job in the caller's transaction (or one of its own).

    With ``unique_key`` the first one wins: while a job of this kind and key is
    queued or running, that job is returned. A lane that nobody set has one
    slot. With ``host`` only workers of that machine take it. ``max_failures``
    is its own budget of failures, 0 the installation's. ``payload`` carries
    ids, never content. Raises ``LookupError`` for a kind that nobody registered.
    """
    registered = kinds.get(kind)
    if registered is None:
        raise LookupError(f"No kind of job is named {kind}.")
    if exclusive and not subject:
        raise ValueError("An exclusive job names its subject.")
    job = Job(
        kind=kind,
        pool=registered.pool,
        subject=subject,
        payload=payload or {},
        unique_key=unique_key,
        lane=lane,
        exclusive=exclusive,
        audience=audience,
        priority=priority,
        run_after=Wall(delay_seconds),
        host=host,
        max_failures=max_failures,
        cause=_cause(),
    )
    if lane and not Lane.objects.filter(name=lane).exists():
        # A lane without slots would keep the job waiting without a word.
        set_lane(lane, 1)
    if not unit.is_open() and not connection.in_atomic_block:
        # One statement is a transaction of its own.
        live = _insert(job, delay_seconds)
        if live is None:
            wakeups.committed(registered.pool)
        return live or job
    with unit.joined():
        live = _insert(job, delay_seconds)
        if live is None:
            wakeups.after_commit(registered.pool)
    return live or job


def _insert(job: Job, delay_seconds: float) -> Job | None:
    """Insert ``job``; or return the one that lives with its unique key, and insert nothing."""
    insert = _insert_postgresql if connection.vendor == "postgresql" else _insert_sqlite
    for _ in range(3):
        if insert(job, delay_seconds):
            return None
        # The other job may end between the failed insert and this look; then insert again.
        rows = Job.objects.filter(kind=job.kind, unique_key=job.unique_key, state__in=LIVE_STATES)
        if (live := rows.first()) is not None:
            return live
    raise Refused(f"The job {job.kind} {job.unique_key} changes hands too quickly; try again.")


def _insert_postgresql(job: Job, delay_seconds: float) -> bool:
    """By the prepared statement: the ORM's costs as much as all that comes after it until the job has ended."""
    values = {name: getattr(job, name) for name in _INSERTED}
    values |= {"payload": json.dumps(job.payload, cls=DjangoJSONEncoder), "cause": json.dumps(job.cause)}
    values |= {"pool": str(job.pool), "bounded": kind_lane(job.kind), "delay": delay_seconds}
    for row in statements.prepared(statements.ENQUEUE_POSTGRESQL, values):
        job.id, job.lane, job.run_after, job.created_at = row
        job._state.adding, job._state.db = False, connection.alias
        return True
    return False


def _insert_sqlite(job: Job, delay_seconds: float) -> bool:
    if not job.lane:
        job.lane = Lane.objects.filter(name=kind_lane(job.kind)).values_list("name", flat=True).first() or ""
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        if not job.unique_key:
            raise
        return False
    job.refresh_from_db(fields=["run_after", "created_at"])
    return True


def enqueue_many(kind: str, payloads: Iterable[dict[str, Any]], *, audience: str = "", priority: int = 0) -> int:
    """Insert a job for each payload, in one statement and with one wake-up; returns how many.

    They have no keys, and no lane but their kind's.
    """
    registered = kinds.get(kind)
    if registered is None:
        raise LookupError(f"No kind of job is named {kind}.")
    cause = _cause()
    with unit_of_work():
        lane = Lane.objects.filter(name=kind_lane(kind)).values_list("name", flat=True).first() or ""
        shared = {
            "lane": lane,
            "kind": kind,
            "pool": registered.pool,
            "audience": audience,
            "priority": priority,
            "cause": cause,
        }
        jobs = Job.objects.bulk_create([Job(payload=payload, run_after=Wall(), **shared) for payload in payloads])
        if jobs:
            wakeups.after_commit(registered.pool)
    return len(jobs)


def _cause() -> dict[str, str]:
    cause = causes.current()
    return {"request_id": cause.request_id, "actor": cause.actor.label, "because": cause.because}


def set_lane(name: str, slots: int) -> None:
    """Let ``slots`` jobs of the lane run at once, from now on. Slots over a lowered limit are filled no more.

    ``kind_lane`` names the lane of a kind's jobs that have none of their own;
    those that wait are in it from now on.
    """
    with unit_of_work():
        Lane.objects.update_or_create(name=name, defaults={"slots": slots})
        LaneSlot.objects.bulk_create([LaneSlot(lane_id=name, n=n) for n in range(1, slots + 1)], ignore_conflicts=True)
        if name.startswith(KIND_LANE):
            waiting = Job.objects.filter(kind=name.removeprefix(KIND_LANE), state=JobState.QUEUED, lane="")
            waiting.update(lane=name)


def kind_lane(kind: str) -> str:
    """It has a limit where a lane of this name is set."""
    return f"{KIND_LANE}{kind}"


def pause(name: str, *, reason: str) -> bool:
    """Let no job of ``pool:NAME`` or ``kind:NAME`` be claimed from now on; what runs goes on. False: it was paused.

    Raises ``LookupError`` where there is no such pool or kind.
    """
    _expect(name)
    row = Pause(name=name, reason=reason[:300], paused_by=causes.current().actor.label[:254], paused_at=Wall())
    with unit_of_work() as work:
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return False
        work.record("queue.paused", name, reason=reason)
    return True


def resume(name: str, *, reason: str) -> bool:
    """Undo ``pause``. False: it was not paused."""
    pool = _expect(name)
    with unit_of_work() as work:
        if Pause.objects.filter(name=name).delete()[0] != 1:
            return False
        work.record("queue.resumed", name, reason=reason)
        wakeups.after_commit(pool)
    return True


def _expect(name: str) -> str:
    """The pool of what is named."""
    what, _, which = name.partition(":")
    if what == "pool" and which in Pool.values:
        return which
    registered = kinds.get(which) if what == "kind" else None
    if registered is None:
        raise LookupError(f"There is no queue {name}.")
    return str(registered.pool)


def cancel(job: Job, *, reason: str) -> Job:
    """End a queued job now, or ask the worker of a running one to stop it.

    Raises ``Refused`` where it has ended. Whoever ends a running job after
    this (its worker, or the sweep) ends it as cancelled.
    """
    with unit_of_work() as work:
        # The lock decides: without it the job could be claimed, or handed back, between two looks at its state.
        state = Job.objects.filter(pk=job.pk).select_for_update().values_list("state", flat=True).first()
        if state == JobState.QUEUED:
            end_queued(job.pk, Outcome.CANCELLED, reason)
            ended: dict[str, Any] = {"before": {"state": "queued"}, "after": {"state": "cancelled"}}
            work.record("job.cancelled", job.name, reason=reason, scope=job.audience, **ended)
        elif state == JobState.RUNNING:
            Job.objects.filter(pk=job.pk).update(cancel_at=Wall())
            work.record("job.cancel_asked", job.name, before={"state": "running"}, reason=reason, scope=job.audience)
        else:
            raise Refused(f"Job {job.pk} is {state or 'gone'}: it has ended, so there is nothing to cancel.")
    job.refresh_from_db()
    return job


def requeue(job: Job, *, reason: str = "") -> Job:
    """Give a dead or cancelled job another life: its budgets count from now.

    Raises ``Refused`` where the job is in another state, or where a job with
    its unique key lives already.
    """
    with unit_of_work() as work:
        rows = Job.objects.filter(pk=job.pk, state__in=[JobState.DEAD, JobState.CANCELLED])
        try:
            with transaction.atomic():
                moved = rows.update(
                    state=JobState.QUEUED, run_after=Wall(), cancel_at=None, finished_at=None, fence=F("fence") + 1
                )
        except IntegrityError:
            rival = f"another {kinds.label(job.kind)} for the same thing is on its way"
            raise Refused(f"Job {job.pk} cannot go again: {rival}.") from None
        if moved != 1:
            if not Job.objects.filter(pk=job.pk).exists():
                raise Gone(f"Job {job.pk} is not there any more: ended jobs are kept for a time only.")
            job.refresh_from_db()
            raise Refused(f"Job {job.pk} is {job.state}; only a dead or cancelled job can be requeued.")
        # Earlier attempts stay as they were; they count no more against the budgets.
        Attempt.objects.filter(job_id=job.pk, counted=True).update(counted=False)
        before, after = {"state": job.state}, {"state": "queued"}
        work.record("job.requeued", job.name, before=before, after=after, reason=reason, scope=job.audience)
        registered = kinds.get(job.kind)
        if registered and registered.requeued:
            registered.requeued(job.subject, job.payload)
        wakeups.after_commit(job.pool)
    job.refresh_from_db()
    return job
