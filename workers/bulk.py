"""Many jobs at once: each in a transaction of its own, so that one that cannot stops no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from portal.core import access, bulk, limits
from portal.core.access import Denied, Role, within
from portal.core.lifecycle import Refused
from workers import queue
from workers.models import Job, JobState

# what a job has to be for each of the two
REQUEUEABLE: Final = Q(state__in=[JobState.DEAD, JobState.CANCELLED])
# one whose worker was told already is on its way
CANCELLABLE: Final = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, cancel_at=None)
# refusals that are kept with their reasons; of the others their number
REFUSALS_KEPT: Final = 20
COUNTED_ROWS: Final = 10_000


class Refusal(NamedTuple):
    """What could not be done, and why."""

    job: int
    why: str


@dataclass(slots=True)
class Came:
    """What came of it. ``last`` is the job that was looked at last, ``left`` how many come after it."""

    done: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    last: int = 0
    left: int = 0

    @property
    def looked_at(self) -> int:
        return self.done + self.refused


def requeue(rows: QuerySet[Job], user: Any, *, reason: str, after: int = 0) -> Came:
    """Requeue those of ``rows`` that come ``after`` a job, as ``user``, in their order; ``BULK_JOBS_MAX`` at most."""
    return _each(rows, user, after, lambda job: queue.requeue(job, reason=reason))


def cancel(rows: QuerySet[Job], user: Any, *, reason: str, after: int = 0) -> Came:
    """Cancel the queued and ask the running to stop; otherwise as ``requeue``."""
    return _each(rows, user, after, lambda job: queue.cancel(job, reason=reason))


def counted(rows: QuerySet[Any]) -> int:
    """How many there are; one more than ``COUNTED_ROWS`` stands for more than that."""
    return rows.order_by()[: COUNTED_ROWS + 1].count()


def _each(rows: QuerySet[Job], user: Any, after: int, act: Callable[[Job], Job]) -> Came:
    ordered = rows.filter(pk__gt=after).order_by("pk")
    numbers = list(ordered.values_list("pk", flat=True)[: limits.value("BULK_JOBS_MAX")])
    came = Came(last=numbers[-1] if numbers else after)
    for portion in bulk.chunks(numbers):
        found = Job.objects.defer("payload").in_bulk(portion)
        for number in portion:
            why = _do(found.get(number), user, act)
            if not why:
                came.done += 1
                continue
            came.refused += 1
            if len(came.refusals) < REFUSALS_KEPT:
                came.refusals.append(Refusal(number, why))
    came.left = counted(rows.filter(pk__gt=came.last))
    return came


def _do(job: Job | None, user: Any, act: Callable[[Job], Job]) -> str:
    """Why it could not be done; empty where it was."""
    try:
        if job is None:
            return "It is not there any more."
        access.check(user, within(Role.OPERATOR), job.audience)
        act(job)
    except Job.DoesNotExist:
        return "It is not there any more."
    except (Denied, Refused) as refusal:
        return str(refusal)
    return ""
