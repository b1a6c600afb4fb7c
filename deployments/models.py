"""Service, environment, deployment, step, and the verdict that let it pass or not."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models import Project
from workers.models import Attempt


class Service(models.Model):
    """Something of a project that is deployed by a command."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="services")
    name = models.SlugField(max_length=60)
    command = models.JSONField(help_text='The command as a list, such as ["./deploy", "web"]. It runs without a shell.')

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="deployments_service_name")]

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """A place that a project's services are deployed to."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="environments")
    name = models.SlugField(max_length=60)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="deployments_environment_name")
        ]

    def __str__(self) -> str:
        return self.name


class Verdict(models.Model):
    """A frozen answer to "may this ship?": the findings it saw, and those that hold it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="verdicts", editable=False)
    digest = models.CharField(max_length=64, editable=False)
    go = models.BooleanField(editable=False)
    blocking = models.JSONField(default=list, editable=False)
    reasons = models.JSONField(default=list, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return "go" if self.go else f"held by {len(self.blocking)} finding{'' if len(self.blocking) == 1 else 's'}"


class DeploymentState(models.TextChoices):
    REFUSED = "refused", "Refused"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


class Deployment(Tracked):
    """The way of one commit into one environment; a refused one is recorded too."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="deployments", editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="deployments", editable=False)
    commit = models.CharField(max_length=64, blank=True, editable=False)
    verdict = models.ForeignKey(Verdict, on_delete=models.PROTECT, related_name="deployments", editable=False)
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(DeploymentState.values)), name="deployments_deployment_state"
            ),
            models.UniqueConstraint(
                fields=["service", "environment"],
                condition=Q(state__in=["queued", "running"]),
                name="deployments_one_active",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-id"], name="deployments_newest")]

    def __str__(self) -> str:
        return f"{self.service} to {self.environment}"

    @property
    def subject(self) -> str:
        return f"deployment:{self.pk}"

    def get_state_display(self) -> str:
        return str(DeploymentState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/deployments/{self.pk}/"


class StepState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


class Step(Tracked):
    """One recorded part of a deployment's way."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="steps", editable=False)
    n = models.PositiveSmallIntegerField(editable=False)
    name = models.CharField(max_length=100, editable=False)
    command = models.JSONField(editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, null=True, related_name="step", editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    message = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "n"], name="deployments_step_n"),
            models.CheckConstraint(condition=Q(state__in=sorted(StepState.values)), name="deployments_step_state"),
        ]

    def __str__(self) -> str:
        return f"step {self.n} of {self.deployment}"

    def get_state_display(self) -> str:
        return str(StepState(self.state).label)
