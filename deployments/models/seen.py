"""What was seen: a database's structure around a migration, and a service's answers after its deployment."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.deployments import Deployment, Placement, Step


class When(models.TextChoices):
    BEFORE = "before", "Before"
    AFTER = "after", "After"


class Structure(models.Model):
    """The structure of a database as a migrate step's command printed it, before or after."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="structures", editable=False)
    when = models.CharField(max_length=10, choices=When, editable=False)
    text = models.TextField(blank=True, editable=False)
    # of what is kept, before anything in it was made unreadable
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    # bytes of it that are not kept
    cut = models.PositiveBigIntegerField(default=0, editable=False)
    # of the one after: what differs from the one before, as git prints it
    changes = models.TextField(blank=True, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["step", "when"], name="deployments_structure_once"),
            models.CheckConstraint(condition=Q(when__in=sorted(When.values)), name="deployments_structure_when"),
        ]

    def __str__(self) -> str:
        return f"structure {self.get_when_display().lower()} {self.step}"


class Observation(models.Model):
    """Equal answers of a placed service to the schedule that asks, one after the other; another one is another row."""

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="observations", editable=False)
    # what stood there when it answered
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="+", editable=False)
    right = models.BooleanField(editable=False)
    # 0: no answer
    status = models.PositiveSmallIntegerField(default=0, editable=False)
    reported = models.CharField(max_length=64, blank=True, editable=False)
    detail = models.CharField(max_length=200, blank=True, editable=False)
    # of the slowest of them
    milliseconds = models.PositiveIntegerField(default=0, editable=False)
    first_at = models.DateTimeField(db_default=Now(), editable=False)
    last_at = models.DateTimeField(db_default=Now(), editable=False)
    answers = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["placement", "-id"], name="deployments_observed_newest"),
            models.Index(fields=["last_at"], name="deployments_observed_last"),
        ]

    def __str__(self) -> str:
        return f"{'right' if self.right else 'wrong'} of {self.placement}"
