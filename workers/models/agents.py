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


class Containment(models.TextChoices):
    PLAIN = "plain", "Plain"
    BUBBLEWRAP = "bubblewrap", "Bubblewrap"
    WRAPPER = "wrapper", "Wrapper"


class Network(models.TextChoices):
    OPEN = "open", "As the machine has it"
    NONE = "none", "None"


class AgentVersion(models.Model):
    """An immutable profile: a change makes the next one, and each turn names the one it ran with."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions", editable=False)
    number = models.PositiveIntegerField(editable=False)
    adapter = models.CharField(max_length=20, editable=False)
    command = models.JSONField(editable=False)
    # the command that goes on with an earlier session, "{session}" in its place; empty where none can
    resume = models.JSONField(default=list, editable=False)
    # stands for "{model}" in both
    model = models.CharField(max_length=100, blank=True, editable=False)
    # the command that prints the program's version; empty: the adapter's own
    version_command = models.JSONField(default=list, editable=False)
    # what is around it; of the wrapper's list one element is "{command}"
    containment = models.CharField(max_length=12, choices=Containment, default=Containment.PLAIN, editable=False)
    network = models.CharField(max_length=6, choices=Network, default=Network.OPEN, editable=False)
    wrapper = models.JSONField(default=list, editable=False)
    # absolute paths that it may read in a box, beside its program
    readable = models.JSONField(default=list, editable=False)
    # whether it may run as root without a box
    trusted = models.BooleanField(default=False, editable=False)
    # names of variables of the worker that the child may see, and references to the secret store
    environment = models.JSONField(default=list, editable=False)
    secrets = models.JSONField(default=dict, editable=False)
    # files of its own login: {"path below HOME": "name of the secret"}
    login = models.JSONField(default=dict, editable=False)
    wall_seconds = models.PositiveIntegerField(editable=False)
    silence_seconds = models.PositiveIntegerField(editable=False)
    # kept of each stream of a turn's output
    output_bytes = models.PositiveIntegerField(default=8_388_608, editable=False)
    # failed turns of a ticket, one after the other, after which it is given up
    max_failures = models.PositiveSmallIntegerField(default=3, editable=False)
    # what the turns of one ticket may cost together before no other begins; null: no bound
    budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, editable=False)
    # what one turn may cost, and all turns of the agent in 24 hours
    turn_budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, editable=False)
    day_budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, editable=False)
    # bounds of each of its processes: {"cpu_seconds", "file_bytes", "open_files", "processes", "memory_bytes"}
    limits = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agent", "number"], name="workers_agentversion_number"),
            models.CheckConstraint(
                condition=Q(silence_seconds__lte=F("wall_seconds")), name="workers_agentversion_limits"
            ),
            models.CheckConstraint(
                condition=Q(containment__in=sorted(Containment.values)), name="workers_agentversion_containment"
            ),
            models.CheckConstraint(
                condition=Q(network__in=sorted(Network.values)), name="workers_agentversion_network"
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
    # what was seen, in order: [{"ok", "text"}]; ok is null where it tells neither way
    steps = models.JSONField(default=list, editable=False)
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
