"""Claims: taking jobs, holding them, writing under their fence.

A claim is a lease with an expiry and a fence number. The database's clock
sets and judges the lease; the worker trusts its own clock only until a margin
before the lease's end, counted from before it asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from portal.core.unit import UnitOfWork, unit_of_work
from workers import fencing, presence, statements
from workers.models import Pool


class LeaseLost(Exception):
    """The claim is no longer ours: stop, write nothing."""


class Cancelled(Exception):
    """Somebody asked to stop this job."""


class Interrupted(Exception):
    """This worker is stopping; the job is handed back, unharmed."""


@dataclass(slots=True, eq=False)
class Claim:
    """A job that this process holds. ``check`` often; write only under ``fenced``."""

    job_id: int
    attempt_id: int
    kind: str
    fence: int
    subject: str
    payload: dict[str, Any]
    cause: dict[str, str]
    audience: str
    worker: str
    # monotonic seconds until which this process may believe in its lease
    trusted_until: float
    lost: bool = False
    # whether what earlier attempts left here was looked for; see ``children.recover``
    recovered: bool = False
    cancel_asked: bool = False
    interrupted: Callable[[], bool] = field(default=lambda: False)
    # this process's own processor time when it began; None: not yet
    cpu_from_seconds: float | None = None
    # of the trees of its children so far; see ``children.run``
    child_cpu_seconds: float = 0.0
    child_memory_bytes: int | None = None

    @property
    def seconds_left(self) -> float:
        """Until the lease must be distrusted; negative when it must."""
        return self.trusted_until - time.monotonic()

    def check(self) -> None:
        """Raise ``LeaseLost``, ``Cancelled`` or ``Interrupted`` where the handler must end."""
        if self.lost or self.seconds_left <= 0:
            raise LeaseLost(f"job {self.job_id}, fence {self.fence}")
        if self.cancel_asked:
            raise Cancelled
        if self.interrupted():
            raise Interrupted

    def spent(self, cpu_seconds: float, memory_bytes: int) -> None:
        """A child of this claim has ended, and took this much."""
        self.child_cpu_seconds += cpu_seconds
        self.child_memory_bytes = max(self.child_memory_bytes or 0, memory_bytes)

    def renewed(self, asked_at: float) -> None:
        """The database confirmed the lease for a request made at ``asked_at`` (monotonic)."""
        self.trusted_until = max(self.trusted_until, trust(asked_at))

    @contextmanager
    def fenced(self) -> Iterator[UnitOfWork]:
        """One transaction that begins by renewing this claim.

        Raises ``LeaseLost`` and writes nothing where it cannot.
        """
        asked_at = time.monotonic()
        with fencing.writing():
            held = renew([self])
            if self.job_id not in held:
                self.lost = True
                raise LeaseLost(f"job {self.job_id}, fence {self.fence}")
            self.cancel_asked = self.cancel_asked or held[self.job_id]
            with unit_of_work() as work:
                yield work
                reach(Failpoint.IN_FENCED_WRITE)
        reach(Failpoint.AFTER_FENCED_WRITE)
        self.renewed(asked_at)


def trust(asked_at: float) -> float:
    return asked_at + limits.value("LEASE_SECONDS") - limits.value("LEASE_MARGIN_SECONDS")


def claim(pool: Pool | str, kinds: Sequence[str], *, worker: str, most: int) -> list[Claim]:
    """Take up to ``most`` due jobs of these kinds, best priority first. Commits by itself.

    Jobs that are for another machine are left to its workers, and those of
    paused kinds, or of a paused pool, to later.
    """
    if not kinds or most < 1:
        return []
    asked_at = time.monotonic()
    taken = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    rows = taken(str(pool), list(kinds), worker, most)
    return [_claim_of(row, worker, trust(asked_at)) for row in rows]


def _claim_of(row: Any, worker: str, trusted_until: float) -> Claim:
    job, attempt, kind, fence, subject, payload, cause, audience = row
    return Claim(job, attempt, kind, fence, subject, _read(payload), _read(cause), audience, worker, trusted_until)


def renew(held: Sequence[Claim]) -> dict[int, bool]:
    """Renew in one statement. What does not come back is lost; the value says whether a cancel was asked."""
    if not held:
        return {}
    lease = limits.value("LEASE_SECONDS")
    if connection.vendor == "postgresql":
        ids, fences = [claim.job_id for claim in held], [claim.fence for claim in held]
        rows = statements.prepared(statements.RENEW_POSTGRESQL, {"lease": lease, "ids": ids, "fences": fences})
    else:
        pairs = json.dumps([[claim.job_id, claim.fence] for claim in held])
        with connection.cursor() as cursor:
            cursor.execute(statements.RENEW_SQLITE, {"lease": f"+{lease} seconds", "pairs": pairs})
            rows = cursor.fetchall()
    return {row[0]: bool(row[1]) for row in rows}


# A claim that lost every candidate to others tries again while something is due.
ROUNDS = 5


def _claim_postgresql(pool: str, kinds: list[str], worker: str, most: int) -> list[Any]:
    values = {"pool": pool, "kinds": kinds, "worker": worker, "most": most, "host": presence.host()}
    values["lease"] = limits.value("LEASE_SECONDS")
    for _ in range(ROUNDS):
        rows = statements.prepared(statements.CLAIM_POSTGRESQL, values)
        if rows or not statements.prepared(statements.CLAIMABLE_POSTGRESQL, values | {"most": 1}):
            return rows
    return []


def _claim_sqlite(pool: str, kinds: list[str], worker: str, most: int) -> list[Any]:
    values: dict[str, Any] = {"pool": pool, "kinds": json.dumps(kinds), "most": most, "host": presence.host()}
    # Never take the write lock to find nothing.
    with connection.cursor() as cursor:
        cursor.execute(statements.CLAIMABLE_SQLITE, values | {"most": 1})
        if not cursor.fetchall():
            return []
    taken: list[Any] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statements.CLAIMABLE_SQLITE, values)
        subjects: set[str] = set()
        for job, lane, subject, exclusive, kind, fence, payload, cause, audience in cursor.fetchall():
            if exclusive and subject in subjects:
                continue
            if lane and not _take_lane(cursor, lane, job):
                continue
            if exclusive:
                subjects.add(subject)
                cursor.execute("INSERT INTO workers_subjectslot (subject, job_id) VALUES (%s, %s)", [subject, job])
            lease = f"+{limits.value('LEASE_SECONDS')} seconds"
            row = {"id": job, "worker": worker, "fence": fence + 1, "lease": lease}
            cursor.execute(statements.CLAIM_ONE_SQLITE, row)
            cursor.execute(statements.ATTEMPT_SQLITE, row)
            taken.append((job, cursor.fetchone()[0], kind, fence + 1, subject, payload, cause, audience))
    return taken


def _take_lane(cursor: Any, lane: str, job: int) -> bool:
    cursor.execute(statements.FREE_SLOT_SQLITE, [lane])
    slot = cursor.fetchone()
    if slot is None:
        return False
    cursor.execute("UPDATE workers_laneslot SET job_id = %s WHERE id = %s", [job, slot[0]])
    return True


def _read(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value) if isinstance(value, str | bytes) else value
    return found
