"""Worker processes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from workers.models.jobs import Pool


class Worker(models.Model):
    """A worker process, as it last said of itself."""

    class State(models.TextChoices):
        ALIVE = "alive", "Alive"
        STOPPED = "stopped", "Stopped"

    name = models.CharField(max_length=120, unique=True, editable=False)
    pool = models.CharField(max_length=10, choices=Pool, editable=False)
    host = models.CharField(max_length=80, editable=False)
    pid = models.PositiveIntegerField(editable=False)
    # of the code that it runs, and of the schema that this code was written for
    version = models.CharField(max_length=40, blank=True, editable=False)
    schema = models.CharField(max_length=16, blank=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.ALIVE, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=["alive", "stopped"]), name="workers_worker_state")
        ]
        indexes: ClassVar = [models.Index(fields=["-seen_at"], name="workers_worker_seen")]

    def __str__(self) -> str:
        return self.name
