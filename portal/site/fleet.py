"""The workers as a page shows them: who is there, what each holds, and whose code is another."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import connection

from portal import __version__
from portal.core import clock
from portal.core.guard import manifest
from portal.site import looks, queries
from workers import presence
from workers.models import Job, JobState, Worker

WORKERS_SHOWN: Final = 50
HELD_SHOWN: Final = 3


class Line(NamedTuple):
    """``seen`` and ``up`` are lengths of time by the database's clock, which the reader's need not share."""

    worker: Worker
    state: str
    seen: str
    up: str
    holds: list[Job]
    more: int
    other_code: str


class Fleet(NamedTuple):
    lines: list[Line]
    alive: int
    lost: int
    cut: bool
    # how many run other code than this process, and which it runs
    others: int
    version: str


def of(user: queries.Reader, asked: datetime) -> Fleet:
    """Those seen within a day; what each holds, as far as the reader may see it."""
    rows = Worker.objects.filter(seen_at__gte=asked - timedelta(days=1)).order_by("name")
    seen = list(rows[: WORKERS_SHOWN + 1])
    held: dict[str, list[Job]] = {}
    running = queries.jobs_of(user).filter(state=JobState.RUNNING, worker__in=[worker.name for worker in seen])
    for job in running.order_by("id")[: WORKERS_SHOWN * HELD_SHOWN]:
        held.setdefault(job.worker, []).append(job)
    schema = _schema(connection.vendor)
    lines = [_line(worker, held.get(worker.name, []), asked, schema) for worker in seen[:WORKERS_SHOWN]]
    return Fleet(
        lines,
        sum(line.state == Worker.State.ALIVE for line in lines),
        sum(line.state == "missing" for line in lines),
        len(seen) > WORKERS_SHOWN,
        sum(bool(line.other_code) for line in lines),
        __version__,
    )


@functools.cache
def _schema(vendor: str) -> str:
    """For which this code was written."""
    return manifest.load(vendor).structure.fingerprint()


def _line(worker: Worker, held: list[Job], asked: datetime, schema: str) -> Line:
    return Line(
        worker,
        "missing" if presence.is_lost(worker, asked) else worker.state,
        looks.spell(clock.ago(worker.seen_at, asked)),
        looks.spell(clock.ago(worker.started_at, asked)),
        held[:HELD_SHOWN],
        max(len(held) - HELD_SHOWN, 0),
        _other_code(worker, schema),
    )


def _other_code(worker: Worker, schema: str) -> str:
    """What its code is, where it is not this one; a worker that has stopped may be of any."""
    if worker.state != Worker.State.ALIVE:
        return ""
    if worker.version != __version__:
        return "Other version"
    return "" if worker.schema == schema else "Other schema"
