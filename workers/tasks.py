"""Celery's tasks: wake-ups. They carry no work, and tolerate loss, repetition and unknown arguments."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.db import close_old_connections

from workers import process


@shared_task(name="workers.drain")
def drain(**_: Any) -> None:
    worker = process.current()
    if worker is not None and not worker.drain.busy:
        # Its session is kept from task to task; one that has died meanwhile is replaced.
        close_old_connections()
        worker.drain.run()


@shared_task(name="workers.tick")
def tick(**_: Any) -> None:
    from workers import presence, schedules, sweeping

    close_old_connections()
    presence.beat_seen()
    sweeping.sweep()
    sweeping.refuse_unknown()
    schedules.run_due()
    sweeping.look_around()
    sweeping.announce_due()
    sweeping.prune_if_due()
