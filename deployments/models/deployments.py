"""A release, its way into an environment with the recorded parts of that way, and what stands where."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.gates import Verdict
from deployments.models.places import Details, Environment, Service, StepKind
from portal.core.lifecycle import Tracked
from workers.models import Attempt

SHOWN_DIGITS: Final = 9


class Release(models.Model):
    """An immutable bundle, named by its content: a service, a commit, the pipeline that brings it somewhere."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="releases", editable=False)
    number = models.PositiveIntegerField(editable=False)
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    commit = models.CharField(max_length=64, blank=True, editable=False)
    # the commit's first line
    title = models.CharField(max_length=200, blank=True, editable=False)
    pipeline = models.JSONField(default=list, editable=False)
    # findings that were open when it was made
    open_findings = models.JSONField(default=list, editable=False)
    # merges of tickets whose commit it holds, as far as that was measured; it only grows
    merges = models.JSONField(default=list, editable=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "number"], name="deployments_release_number"),
            models.UniqueConstraint(fields=["service", "digest"], name="deployments_release_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.service.name}-{self.number}"

    def get_absolute_url(self) -> str:
        return f"/deployments/releases/{self.pk}/"

    @property
    def subject(self) -> str:
        return f"release:{self.pk}"

    @property
    def short(self) -> str:
        return self.commit[:SHOWN_DIGITS]


class DeploymentState(models.TextChoices):
    """Waiting holds nothing; the environment is its own from the first step to the end."""

    PREPARING = "preparing", "Preparing"
    WAITING = "waiting_gate", "Waiting at the gate"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    INTERRUPTED = "interrupted", "Needs a person"
    ROLLING_BACK = "rolling_back", "Rolling back"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ROLLED_BACK = "rolled_back", "Rolled back"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"


_D = DeploymentState
OPEN_STATES: Final = (_D.PREPARING, _D.WAITING, _D.QUEUED)
ACTIVE_STATES: Final = (_D.RUNNING, _D.INTERRUPTED, _D.ROLLING_BACK)
ENDED_STATES: Final = (_D.SUCCEEDED, _D.FAILED, _D.ROLLED_BACK, _D.REFUSED, _D.CANCELLED)


class Deployment(Tracked):
    """The way of one release into one environment; one that never went is recorded too."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="deployments", editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="deployments", editable=False)
    # a commit, branch or tag as it was asked for; empty: the target branch
    asked = models.CharField(max_length=200, blank=True, editable=False)
    # what that was when it was prepared
    commit = models.CharField(max_length=64, blank=True, editable=False)
    release = models.ForeignKey(
        Release, on_delete=models.PROTECT, null=True, related_name="deployments", editable=False
    )
    # what stood there when the plan was made, and what a rollback goes back to
    previous = models.ForeignKey(Release, on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    # the environment's, as they were when the plan was made
    variables = models.JSONField(default=dict, editable=False)
    # of the release, the previous one, the steps both ways and the variables
    plan_digest = models.CharField(max_length=64, blank=True, editable=False)
    # commits, tickets and findings that it brings since the previous release
    changes = models.JSONField(default=dict, editable=False)
    verdict = models.ForeignKey(
        Verdict, on_delete=models.PROTECT, null=True, related_name="deployments", editable=False
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    requester = models.CharField(max_length=254, blank=True, editable=False)
    # why it ended as it did, or why it goes back
    why = models.CharField(max_length=500, blank=True, editable=False)
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    # the gate must be open by then
    expires_at = models.DateTimeField(null=True, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(DeploymentState.values)), name="deployments_deployment_state"
            ),
            models.UniqueConstraint(
                fields=["service", "environment"],
                condition=Q(state__in=sorted(str(state) for state in ACTIVE_STATES)),
                name="deployments_one_active",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-id"], name="deployments_newest"),
            models.Index(fields=["state", "id"], name="deployments_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.service} to {self.environment}"

    @property
    def subject(self) -> str:
        return f"deployment:{self.pk}"

    @property
    def place(self) -> str:
        """How evidence names where it goes."""
        return f"{self.service.name} in {self.environment.name}"

    def get_state_display(self) -> str:
        return str(DeploymentState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/deployments/{self.pk}/"


class StepState(models.TextChoices):
    WAITING = "waiting", "Not started"
    RUNNING = "running", "Running"
    NEEDS_PERSON = "needs_person", "Needs a person"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class Phase(models.TextChoices):
    FORWARD = "forward", "On the way"
    BACK = "back", "On the way back"


class Step(Tracked, Details):
    """One recorded part of a deployment's way, or of its way back; both are planned before the start."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="steps", editable=False)
    n = models.PositiveSmallIntegerField(editable=False)
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.FORWARD, editable=False)
    kind = models.CharField(max_length=10, choices=StepKind, default=StepKind.COMMAND, editable=False)
    name = models.CharField(max_length=100, editable=False)
    command = models.JSONField(editable=False)
    probe = models.JSONField(default=list, editable=False)
    url = models.CharField(max_length=600, blank=True, editable=False)
    instructions = models.TextField(blank=True, editable=False)
    wall_seconds = models.PositiveIntegerField(default=0, editable=False)
    # the commit that it brings, or takes away
    commit = models.CharField(max_length=64, blank=True, editable=False)
    # on the way back: the number of the step that it undoes
    undoes = models.PositiveSmallIntegerField(null=True, editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, null=True, related_name="step", editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    message = models.CharField(max_length=300, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    # goes that failed and were followed by another one, since it last began anew
    retried = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    # when its pause is over, or when it goes again
    due_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "n"], name="deployments_step_n"),
            models.CheckConstraint(condition=Q(state__in=sorted(StepState.values)), name="deployments_step_state"),
            models.CheckConstraint(condition=Q(kind__in=sorted(StepKind.values)), name="deployments_step_kind"),
            models.CheckConstraint(condition=Q(phase__in=sorted(Phase.values)), name="deployments_step_phase"),
        ]

    def __str__(self) -> str:
        return f"step {self.n} of {self.deployment}"

    def get_state_display(self) -> str:
        return str(StepState(self.state).label)


class HealthCheck(models.Model):
    """One answer of what was asked in a step: a service for its health, an address for what it says."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="health_checks", editable=False)
    n = models.PositiveIntegerField(editable=False)
    right = models.BooleanField(editable=False)
    # 0: no answer
    status = models.PositiveSmallIntegerField(default=0, editable=False)
    reported = models.CharField(max_length=64, blank=True, editable=False)
    detail = models.CharField(max_length=200, blank=True, editable=False)
    milliseconds = models.PositiveIntegerField(default=0, editable=False)
    at = models.DateTimeField(editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["step", "n"], name="deployments_healthcheck_n")]

    def __str__(self) -> str:
        return f"{'right' if self.right else 'wrong'}: {self.detail}"


class InterruptionState(models.TextChoices):
    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"


class Choice(models.TextChoices):
    """What a person may answer to an interruption."""

    DONE = "done", "It is done"
    RETRY = "retry", "Try again"
    SKIP = "skip", "Skip"
    FAIL = "fail", "End as failed"
    ROLL_BACK = "roll_back", "Roll back"


class Asks(models.TextChoices):
    """What an interruption is about: its step; or the gate, which closed before that step began."""

    STEP = "step", "Step"
    GATE = "gate", "Gate"


class Interruption(Tracked):
    """A step that waits for one person: it failed, or it is theirs to do. It holds the environment meanwhile."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="interruptions", editable=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="interruptions", editable=False)
    about = models.CharField(max_length=10, choices=Asks, default=Asks.STEP, db_default=Asks.STEP, editable=False)
    detail = models.CharField(max_length=500, blank=True, editable=False)
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    # who has it in hand: nobody else answers it before they take it over
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    owner_label = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)
    owned_at = models.DateTimeField(null=True, editable=False)
    choice = models.CharField(max_length=10, choices=Choice, blank=True, editable=False)
    note = models.CharField(max_length=500, blank=True, editable=False)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    answered_label = models.CharField(max_length=254, blank=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(InterruptionState.values)), name="deployments_interruption_state"
            ),
            models.CheckConstraint(
                condition=Q(state="open", choice="") | Q(state="answered", choice__in=sorted(Choice.values)),
                name="deployments_interruption_choice",
            ),
            models.CheckConstraint(condition=Q(about__in=sorted(Asks.values)), name="deployments_interruption_about"),
            models.UniqueConstraint(
                fields=["deployment"], condition=Q(state="open"), name="deployments_one_interruption"
            ),
        ]

    def __str__(self) -> str:
        return f"interruption of {self.deployment}"

    @property
    def subject(self) -> str:
        return f"interruption:{self.pk}"

    def get_state_display(self) -> str:
        return str(InterruptionState(self.state).label)


class Placement(models.Model):
    """What stands where: written by the deployment that ends, which has the place to itself until then."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="placements", editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="placements", editable=False)
    # empty: nothing, or nobody knows since a deployment failed
    release = models.ForeignKey(Release, on_delete=models.PROTECT, null=True, related_name="placements", editable=False)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="placements", editable=False)
    since = models.DateTimeField(editable=False)
    # when the service itself reported the release's commit
    verified_at = models.DateTimeField(null=True, editable=False)
    # by the schedule that asks it for its health: when, and how its answers went on
    observed_at = models.DateTimeField(null=True, editable=False)
    right_in_a_row = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    wrong_in_a_row = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # since when it is not what was verified there, and how that shows
    degraded_at = models.DateTimeField(null=True, editable=False)
    degraded_why = models.CharField(max_length=300, default="", db_default="", blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "environment"], name="deployments_placement_once")
        ]

    def __str__(self) -> str:
        return f"{self.service} in {self.environment}"
