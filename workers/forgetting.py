"""What this layer and those below it forget: ended jobs, outputs, ticks, processes; events, notifications, keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Model, Q, QuerySet

from portal.core import clock, limits, notifications
from portal.core.guard import presence as web
from portal.core.models import Idempotency, Rehearsal
from portal.live import publishing
from workers import presence, retention
from workers.models import Attempt, AttemptOutput, Job, JobState, Outcome, ScheduleTick
from workers.retention import PORTION_ROWS

_OWN: Final = "workers"


def register() -> None:
    retention.retain(
        "outputs", oldest(AttemptOutput, _of_old_attempts), tables=("workers.AttemptOutput",), limit="OUTPUT_KEEP_DAYS"
    )
    of_jobs = ("workers.Job", "workers.Attempt", "workers.AttemptOutput")
    for state, limit in (
        (JobState.SUCCEEDED, "JOB_KEEP_DAYS"),
        (JobState.CANCELLED, "JOB_KEEP_DAYS"),
        (JobState.DEAD, "DEAD_JOB_KEEP_DAYS"),
    ):
        retention.retain(f"jobs, {state}", EndedJobs(state, limit), tables=of_jobs, limit=limit)
    old_ticks = oldest(ScheduleTick, lambda: Q(due_at__lt=before("TICK_KEEP_DAYS")))
    retention.retain("ticks", old_ticks, tables=("workers.ScheduleTick",), limit="TICK_KEEP_DAYS")
    retention.retain("processes", lambda: presence.forget_old(clock.now()), tables=("workers.Worker",))
    retention.retain("web processes", web.forget_old, tables=("core.WebProcess",))
    retention.retain(
        "events",
        lambda: publishing.prune(limits.value("EVENT_KEEP_HOURS")),
        tables=("live.Event",),
        limit="EVENT_KEEP_HOURS",
    )
    retention.retain(
        "notifications",
        lambda: notifications.prune(limits.value("NOTIFICATIONS_KEPT_ROWS")),
        tables=("core.Notification",),
        limit="NOTIFICATIONS_KEPT_ROWS",
    )
    old_rehearsals = oldest(Rehearsal, lambda: Q(at__lt=before("REHEARSAL_KEEP_DAYS")))
    retention.retain("rehearsals", old_rehearsals, tables=("core.Rehearsal",), limit="REHEARSAL_KEEP_DAYS")
    old_keys = oldest(Idempotency, _over)
    retention.retain("idempotency keys", old_keys, tables=("core.Idempotency",), limit="IDEMPOTENCY_KEEP_HOURS")
    _keep()


def _keep() -> None:
    settled = "What somebody set up, until somebody takes it away."
    retention.keep(settled, "workers.Agent", "workers.Lane", "workers.Schedule", "workers.Pause", "core.Secret")
    retention.keep(settled, "core.User", "core.User_groups", "core.User_user_permissions")
    retention.keep("History: it is append-only.", "core.Activity")
    retention.keep("Turns and steps name the profile that they ran with.", "workers.AgentVersion", "workers.Breaker")
    retention.keep("A few rows: somebody asked for each.", "workers.Trial")
    retention.keep("As many rows as there are slots.", "workers.LaneSlot")
    retention.keep("A row lives as long as its attempt runs.", "workers.SubjectSlot")
    retention.keep("History names whose token it was.", "core.ApiToken")
    retention.keep("A row for each migration, which the schema guard reads.", "core.AppliedMigration")
    retention.keep("A row for each thing that pages follow; its numbers must never begin again.", "live.Stream")


def before(limit: str) -> datetime:
    """The moment, by the database's clock, before which the limit, in days, lets go."""
    return clock.now() - timedelta(days=limits.value(limit))


def oldest(model: type[Model], old: Callable[[], Q], *, order: str = "pk") -> Callable[[], int]:
    """Forget of the oldest rows, a portion of them, those that are ``old``.

    Rows must come in nearly the order in which they grow old: it looks no
    further than the first portion, so that it costs the same in a large table.
    """

    def forget() -> int:
        first = list(model._default_manager.order_by(order).values_list("pk", flat=True)[:PORTION_ROWS])
        with transaction.atomic():
            return _delete(model._default_manager.filter(old(), pk__in=first))

    return forget


def _delete(rows: QuerySet[Any]) -> int:
    """Delete those that nobody holds, in order; returns how many of this very table."""
    free = list(rows.order_by("pk").select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
    rows.model._default_manager.filter(pk__in=free).delete()
    return len(free)


def _over() -> Q:
    return Q(created_at__lt=clock.now() - timedelta(hours=limits.value("IDEMPOTENCY_KEEP_HOURS")))


def _of_old_attempts() -> Q:
    return Q(attempt__ended_at__lt=before("OUTPUT_KEEP_DAYS")) & ~Q(attempt__outcome=Outcome.RUNNING)


class EndedJobs:
    """Jobs that ended so long ago, with their attempts and outputs, but for those that a layer above points at.

    What a turn or a step points at is the history of its ticket or deployment.
    """

    def __init__(self, state: JobState, limit: str) -> None:
        self.state, self.limit = state, limit
        # Where the last portion ended: what is kept is walked past once in a round.
        self._after = 0

    def __call__(self) -> int:
        horizon = before(self.limit)
        rows = Job.objects.filter(state=self.state).order_by("id").values_list("id", "finished_at")
        while True:
            looked = list(rows.filter(id__gt=self._after)[:PORTION_ROWS])
            old = [pk for pk, finished in looked if finished is not None and finished < horizon]
            if not old:
                self._after = 0
                return 0
            self._after = looked[-1][0]
            if gone := self._forget(set(old) - pointed_at(old), horizon):
                return gone

    def _forget(self, jobs: set[int], horizon: datetime) -> int:
        ended = Job.objects.filter(pk__in=jobs, state=self.state, finished_at__lt=horizon)
        # Outputs are many rows of one attempt: they go first, in portions of their own.
        while True:
            written = AttemptOutput.objects.filter(attempt__job__in=ended).order_by("pk")
            portion = list(written.values_list("pk", flat=True)[:PORTION_ROWS])
            AttemptOutput.objects.filter(pk__in=portion).delete()
            if len(portion) < PORTION_ROWS:
                break
        with transaction.atomic():
            # Under the lock of the job: somebody may be about to requeue a dead one.
            held = list(ended.order_by("pk").select_for_update(skip_locked=True).values_list("pk", flat=True))
            free = set(held) - pointed_at(held)
            Attempt.objects.filter(job__in=free).delete()
            Job.objects.filter(pk__in=free).delete()
        return len(free)


def pointed_at(jobs: list[int]) -> set[int]:
    """Those of ``jobs`` to which, or to an attempt of which, a row of a layer above points."""
    found: set[int] = set()
    for model, way in ((Job, ""), (Attempt, "__job")):
        for relation in model._meta.related_objects:
            above: Any = relation.related_model
            if above._meta.app_label != _OWN:
                path = f"{relation.field.name}{way}"
                rows = above._default_manager.filter(**{f"{path}__in": jobs})
                found.update(rows.values_list(path, flat=True))
    return found
