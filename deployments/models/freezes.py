"""When nothing goes somewhere: freezes, and who let one deployment through all the same."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from deployments.models.places import Environment
from portal.core.lifecycle import Tracked
from tickets.models import Project


class FreezeState(models.TextChoices):
    """Whether one that is planned is in force is what the clock says."""

    PLANNED = "planned", "Planned"
    LIFTED = "lifted", "Lifted"


class Freeze(Tracked):
    """A time in which nothing starts on its way to one environment, or to any of a project's."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="freezes", editable=False)
    # empty: all that the project has, and will have
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, null=True, related_name="freezes", editable=False
    )
    begins_at = models.DateTimeField(editable=False)
    ends_at = models.DateTimeField(editable=False)
    # in which it was typed, is shown, and comes again
    time_zone = models.CharField(max_length=60, default="UTC", editable=False)
    # at the same times of the wall clock each week, until it is lifted
    weekly = models.BooleanField(default=False, editable=False)
    reason = models.CharField(max_length=500, editable=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    lifted_by = models.CharField(max_length=254, blank=True, editable=False)
    lift_reason = models.CharField(max_length=500, blank=True, editable=False)
    lifted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(FreezeState.values)), name="deployments_freeze_state"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="deployments_freeze_ends_later"),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "state", "-id"], name="deployments_freeze_of_project")]

    def __str__(self) -> str:
        return f"freeze {self.pk} of {self.frozen}"

    def get_absolute_url(self) -> str:
        return f"/deployments/freezes/{self.pk}/"

    @property
    def frozen(self) -> str:
        return self.environment.name if self.environment else f"all of {self.project.key}"

    @property
    def subject(self) -> str:
        return f"freeze:{self.pk}"

    def get_state_display(self) -> str:
        return str(FreezeState(self.state).label)


class FreezeOverride(models.Model):
    """An owner's word that one deployment goes in spite of a freeze; it counts for the plan that it was given to."""

    freeze = models.ForeignKey(Freeze, on_delete=models.CASCADE, related_name="overrides", editable=False)
    deployment = models.ForeignKey(
        "deployments.Deployment", on_delete=models.CASCADE, related_name="overrides", editable=False
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    by_label = models.CharField(max_length=254, editable=False)
    # as an approval has it: another plan, or another release, takes another word
    target_digest = models.CharField(max_length=64, editable=False)
    reason = models.CharField(max_length=500, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["freeze", "deployment", "by", "target_digest"], name="deployments_freezeoverride_once"
            )
        ]

    def __str__(self) -> str:
        return f"override of {self.freeze} for {self.deployment}"
