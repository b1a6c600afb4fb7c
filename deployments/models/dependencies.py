"""What a service needs beside it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from deployments.models.places import Service


class Dependency(models.Model):
    """A service needs another of its project to stand wherever it goes; owners say so, without cycles."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="dependencies", editable=False)
    needs = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="needed_by", editable=False)
    # the number of a release of the other service; 0: any
    least = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name_plural = "dependencies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "needs"], name="deployments_dependency_once"),
            models.CheckConstraint(condition=~Q(service=F("needs")), name="deployments_dependency_on_another"),
        ]

    def __str__(self) -> str:
        return f"{self.service.name} needs {self.needs.name}"
