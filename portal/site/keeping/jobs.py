"""Backups by the clock, and by somebody's click.

They run in the pool of turns: where the clones are, and where nobody counts
on seconds. The click comes before every waiting turn.
"""

from __future__ import annotations

from typing import Final

from portal.core.unit import unit_of_work
from portal.site.keeping import backups
from portal.site.keeping.refusals import Refused
from workers import kinds, queue, schedules
from workers.claims import Claim
from workers.failures import JobFailed
from workers.models import LIVE_STATES, Job, JobState, Pool

KIND: Final = "backup"
EVERY_SECONDS: Final = 86_400
_FIRST: Final = -100


def register() -> None:
    kinds.register(kinds.Kind(KIND, "Backup", Pool.TURNS, run, link=lambda subject: "/backups/"))
    schedules.stand("back-up", KIND, every_seconds=EVERY_SECONDS)


def run(claim: Claim) -> str:
    try:
        made = backups.make(look=claim.check)
    except Refused as refusal:
        raise JobFailed(str(refusal)) from refusal
    told = made.manifest
    with claim.fenced() as work:
        after = {"rows": told.rows, "files": told.files, "bytes": told.size_bytes} if told else {}
        work.record("backup.made", f"backup:{made.name}", after=after)
    return made.name


def ask() -> Job:
    """Have one made now; the same job while one that was asked for is not over."""
    with unit_of_work() as work:
        job = queue.enqueue(KIND, unique_key="asked", priority=_FIRST)
        work.record("backup.asked", job.name)
    return job


def live() -> Job | None:
    """The job that makes one, or waits to."""
    rows = Job.objects.filter(kind=KIND, state__in=LIVE_STATES).exclude(unique_key="")
    return rows.order_by("-state", "id").first()


def last_dead() -> Job | None:
    return Job.objects.filter(kind=KIND, state=JobState.DEAD).order_by("-id").first()
