"""Schedules: beat only says "tick"; what is due is decided by rows.

A due time is taken by inserting (schedule, due_at), once, whoever saw it
first: two beats, or a tick delivered twice, make one job.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction

from portal.core import cause as causes
from portal.core import clock
from portal.core.cause import Actor
from portal.core.unit import unit_of_work
from workers import kinds
from workers.models import Schedule, ScheduleTick
from workers.queue import enqueue

log = structlog.get_logger(__name__)


def run_due(now: datetime | None = None) -> int:
    """Take every due tick; returns how many jobs were enqueued."""
    asked = now or clock.now()
    enqueued = 0
    for schedule in Schedule.objects.filter(enabled=True, next_due_at__lte=asked).order_by("id"):
        with causes.acting(Actor("clock", schedule.name, f"schedule {schedule.name}"), because=f"schedule:{schedule.name}"):
            enqueued += _take(schedule, asked)
    return enqueued


def _take(schedule: Schedule, now: datetime) -> int:
    every = timedelta(seconds=schedule.every_seconds)
    missed = int((now - schedule.next_due_at) / every)
    due_at = schedule.next_due_at + missed * every
    try:
        with unit_of_work():
            tick = ScheduleTick.objects.create(schedule=schedule, due_at=due_at, missed=missed)
            # Under the due time it was read with: a second beat moves nothing.
            Schedule.objects.filter(pk=schedule.pk, next_due_at=schedule.next_due_at).update(next_due_at=due_at + every)
            skipped = missed > 0 and schedule.missed == Schedule.Missed.SKIP
            if skipped or kinds.get(schedule.kind) is None:
                log.warning("tick_skipped", schedule=schedule.name, missed=missed)
                return 0
            job = enqueue(schedule.kind, payload=schedule.payload, unique_key=f"schedule:{schedule.pk}")
            ScheduleTick.objects.filter(pk=tick.pk).update(job=job)
            return 1
    except IntegrityError:
        # Taken by another; its next due time may not have been moved if it died in between.
        with transaction.atomic():
            Schedule.objects.filter(pk=schedule.pk, next_due_at__lte=due_at).update(next_due_at=due_at + every)
        return 0
