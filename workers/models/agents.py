"""Agents: their profiles, whether they can work, and trials."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from workers.models.jobs import Attempt


class Agent(models.Model):
    """A configured coding agent; its profile is the newest of its versions."""

    name = models.SlugField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    concurrency = models.PositiveSmallIntegerField(default=1, help_text="Turns of this agent at once.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(concurrency__gte=1), name="workers_agent_concurrency")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def lane(self) -> str:
        return f"agent:{self.pk}"


class AgentVersion(models.Model):
    """An immutable profile: a change makes the next one, and each turn names the one it ran with."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions", editable=False)
    number = models.PositiveIntegerField(editable=False)
    adapter = models.CharField(max_length=20, editable=False)
    command = models.JSONField(editable=False)
    # the command that goes on with an earlier session, "{session}" in its place; empty where none can
    resume = models.JSONField(default=list, editable=False)
    # names of variables of the worker that the child may see, and references to the secret store
    environment = models.JSONField(default=list, editable=False)
    secrets = models.JSONField(default=dict, editable=False)
    wall_seconds = models.PositiveIntegerField(editable=False)
    silence_seconds = models.PositiveIntegerField(editable=False)
    # kept of each stream of a turn's output
    output_bytes = models.PositiveIntegerField(default=8_388_608, editable=False)
    # failed turns of a ticket, one after the other, after which it is given up
    max_failures = models.PositiveSmallIntegerField(default=3, editable=False)
    # what the turns of one ticket may cost together before no other begins; null: no bound
    budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agent", "number"], name="workers_agentversion_number"),
            models.CheckConstraint(
                condition=Q(silence_seconds__lte=F("wall_seconds")), name="workers_agentversion_limits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"


class BreakerState(models.TextChoices):
    CLOSED = "closed", "Closed"
    OPEN = "open", "Open"
    HALF_OPEN = "half_open", "Half open"


class Breaker(Tracked):
    """Whether turns of a profile may begin. Open, it parks them: an agent that cannot work fails no ticket."""

    agent_version = models.OneToOneField(AgentVersion, on_delete=models.CASCADE, related_name="breaker", editable=False)
    # failures of the agent itself since its last good turn
    failures = models.PositiveIntegerField(default=0, editable=False)
    # how often it opened since then: each time waits longer
    opened = models.PositiveIntegerField(default=0, editable=False)
    # when open: the next try; when half open: when the try counts as lost
    retry_at = models.DateTimeField(null=True, editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(BreakerState.values)), name="workers_breaker_state"),
            models.CheckConstraint(
                condition=Q(state="closed", retry_at__isnull=True) | (~Q(state="closed") & Q(retry_at__isnull=False)),
                name="workers_breaker_waits_iff_not_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"breaker of {self.agent_version}"


class TrialState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"


class Trial(Tracked):
    """A profile tried on nothing: does it start, does it speak the protocol, does it signal?"""

    agent_version = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="trials", editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.SET_NULL, null=True, related_name="trial", editable=False)
    verdict = models.CharField(max_length=300, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    session_id = models.CharField(max_length=200, blank=True, editable=False)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(TrialState.values)), name="workers_trial_state"),
        ]

    def __str__(self) -> str:
        return f"trial {self.pk} of {self.agent_version}"
