"""What holds a queued job: the facts behind "why does it not run?"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from portal.core import clock, limits
from portal.core.clock import Wall
from workers import presence
from workers.models import Breaker, BreakerState, Job, Lane, Pause, SubjectSlot, Worker

HOLDERS_SHOWN: Final = 20
AGENT_LANE: Final = "agent:"


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that keeps a job from being claimed now; nothing of it where a free worker takes it."""

    # by the database's clock, and none where it is due
    due_at: datetime | None
    pauses: list[Pause]
    # who holds the slots of a lane that is full, and how many there are
    lane_slots: int
    lane_jobs: list[int]
    subject_job: int | None
    # alive, of its pool, and of its machine where it is for one
    workers: int
    breaker: Breaker | None

    @property
    def held(self) -> bool:
        """Whether something holds it that a person can change or wait for, but for a worker's next look."""
        return bool(self.due_at or self.pauses or self.lane_jobs or self.subject_job or not self.workers)


def of(job: Job) -> Waiting:
    """The same few queries, whatever holds the job."""
    now = clock.now()
    slots, holders = _lane(job.lane)
    subject = SubjectSlot.objects.filter(subject=job.subject).values_list("job_id", flat=True).first()
    return Waiting(
        due_at=job.run_after if job.run_after > now else None,
        pauses=list(Pause.objects.filter(name__in=[f"pool:{job.pool}", f"kind:{job.kind}"]).order_by("-name")),
        lane_slots=slots,
        lane_jobs=holders,
        subject_job=subject if job.exclusive and subject != job.pk else None,
        workers=_workers(job),
        breaker=_breaker(job.lane),
    )


def agent_of(lane: str) -> int | None:
    """The id of the agent whose lane it is."""
    digits = lane.removeprefix(AGENT_LANE) if lane.startswith(AGENT_LANE) else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None


def _lane(name: str) -> tuple[int, list[int]]:
    """The slots of a lane, and the jobs that hold them where none is free."""
    rows: list[Any] = list(
        Lane.objects.filter(name=name).order_by("rows__n").values_list("slots", "rows__n", "rows__job_id")
    )
    if not rows:
        return 0, []
    slots = rows[0][0]
    free = any(job is None and n and n <= slots for _, n, job in rows)
    return slots, [] if free else [job for _, _, job in rows if job is not None][:HOLDERS_SHOWN]


def _workers(job: Job) -> int:
    seen = Wall(-limits.value("LEASE_SECONDS"))
    rows = Worker.objects.filter(pool=job.pool, state=Worker.State.ALIVE, seen_at__gte=seen)
    if job.host:
        rows = rows.filter(host=job.host)
    return rows.exclude(name=presence.BEAT_NAME).count()


def _breaker(lane: str) -> Breaker | None:
    """Of the profile that the lane's agent has now, where it is not closed."""
    agent = agent_of(lane)
    if agent is None:
        return None
    rows = Breaker.objects.filter(agent_version__agent_id=agent).select_related("agent_version__agent")
    newest = rows.order_by("-agent_version__number").first()
    return newest if newest and newest.state != BreakerState.CLOSED else None
