"""Worker processes as rows: who is there, and when it was last seen."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from portal import __version__
from portal.core import limits
from portal.core.clock import Wall
from portal.core.guard import manifest, presence
from workers.models import Pool, Worker

BEAT_NAME = "beat@clock"


def host() -> str:
    """This machine, as jobs and workspaces name it."""
    name: str = settings.WORKER_HOST
    return name


def process_name(pool: str) -> str:
    """Unique per process life."""
    return presence.process_name(pool)


def arrived(name: str, pool: Pool | str) -> None:
    defaults = {
        "pool": pool,
        "host": host(),
        "pid": os.getpid(),
        "version": __version__,
        "schema": manifest.load(connection.vendor).structure.fingerprint(),
        "state": Worker.State.ALIVE,
        "seen_at": Wall(),
    }
    Worker.objects.update_or_create(name=name, defaults=defaults)


def seen(name: str) -> None:
    Worker.objects.filter(name=name).update(seen_at=Wall(), state=Worker.State.ALIVE)


def left(name: str) -> None:
    Worker.objects.filter(name=name).update(seen_at=Wall(), state=Worker.State.STOPPED)


def beat_seen() -> None:
    """The clock ticked: whoever ran the tick says so for beat."""
    arrived(BEAT_NAME, Pool.SHORT)


def is_lost(worker: Worker, now: datetime) -> bool:
    """Not stopped, and silent for longer than a lease."""
    return worker.state == Worker.State.ALIVE and now - worker.seen_at > timedelta(
        seconds=limits.value("LEASE_SECONDS")
    )


def is_attended(machine: str, pool: Pool | str) -> bool:
    """Whether a worker of this pool is alive there."""
    seen = Wall(-limits.value("LEASE_SECONDS"))
    rows = Worker.objects.filter(host=machine, pool=pool, state=Worker.State.ALIVE, seen_at__gte=seen)
    return rows.exclude(name=BEAT_NAME).exists()


def forget_old(now: datetime) -> int:
    """Delete rows of processes that have not been seen for a day."""
    return Worker.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()[0]
