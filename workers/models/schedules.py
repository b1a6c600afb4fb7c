"""Schedules and their ticks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from workers.models.jobs import Job


class Schedule(models.Model):
    """When a kind of job comes due by the clock, and what happens to ticks that were missed."""

    class Missed(models.TextChoices):
        ONCE = "once", "Run once for all missed"
        SKIP = "skip", "Skip them"
        ALL = "all", "Run each of them"

    name = models.SlugField(max_length=60, unique=True)
    kind = models.CharField(max_length=40)
    # one of the two says when: a pace, or a calendar in a time zone
    every_seconds = models.PositiveIntegerField(default=0, blank=True)
    calendar = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC", blank=True)
    payload = models.JSONField(default=dict, blank=True)
    missed = models.CharField(max_length=10, choices=Missed, default=Missed.ONCE)
    enabled = models.BooleanField(default=True)
    next_due_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(every_seconds__gte=1) & Q(calendar="")) | (Q(every_seconds=0) & ~Q(calendar="")),
                name="workers_schedule_when",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ScheduleTick(models.Model):
    """One due time of a schedule, taken once, whoever saw it first."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="ticks", editable=False)
    due_at = models.DateTimeField(editable=False)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, editable=False)
    missed = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["schedule", "due_at"], name="workers_tick_once")]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.due_at:%Y-%m-%d %H:%M:%S}"
