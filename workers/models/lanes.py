"""What bounds and holds work: lanes, slots, pauses."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from workers.models.jobs import Job


class Lane(models.Model):
    """How many jobs of a lane may run at once."""

    name = models.CharField(max_length=80, primary_key=True)
    slots = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(slots__gte=1), name="workers_lane_slots")]

    def __str__(self) -> str:
        return self.name


class LaneSlot(models.Model):
    """A slot of a lane: locked and filled in the claim, emptied with the attempt's end.

    Limits are rows, not counts: a counting claim broke a limit of one in 161 of 200 races.
    """

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="rows", editable=False)
    n = models.PositiveSmallIntegerField(editable=False)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="lane_slot", editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["lane", "n"], name="workers_laneslot_n")]

    def __str__(self) -> str:
        return f"{self.lane_id} {self.n}"


class SubjectSlot(models.Model):
    """The one slot of a subject: inserted in the claim, deleted with the attempt's end."""

    subject = models.CharField(max_length=120, primary_key=True, editable=False)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="subject_slot", editable=False)

    def __str__(self) -> str:
        return self.subject


class Pause(models.Model):
    """A pool or a kind whose jobs are not claimed until somebody resumes it. What runs goes on."""

    # "pool:turns" or "kind:turn"
    name = models.CharField(max_length=60, primary_key=True, editable=False)
    reason = models.CharField(max_length=300, editable=False)
    paused_by = models.CharField(max_length=254, editable=False)
    paused_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name
