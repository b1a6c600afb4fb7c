"""Waivers of what a careful environment asks of migrations."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.deployments import Deployment, Release


class WaiverKind(models.TextChoices):
    REHEARSAL = "rehearsal", "Without backup and rehearsal"
    ONE_WAY = "one_way", "Without a way back"


class Waiver(models.Model):
    """A second person's yes to the migrations of one deployment's release and plan; it counts for no other."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="waivers", editable=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="waivers", editable=False)
    # the digest of the deployment's plan as it was waived; another plan takes another waiver
    target_digest = models.CharField(max_length=64, editable=False)
    kind = models.CharField(max_length=10, choices=WaiverKind, editable=False)
    reason = models.CharField(max_length=500, editable=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    by_label = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=sorted(WaiverKind.values)), name="deployments_waiver_kind"),
            models.UniqueConstraint(fields=["deployment", "target_digest", "kind"], name="deployments_waiver_once"),
        ]

    def __str__(self) -> str:
        return f"{self.by_label} on {self.deployment}: {self.get_kind_display().lower()}"
