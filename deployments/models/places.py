"""What is deployed, by which steps, and where to."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from tickets.models import Project


class Service(models.Model):
    """Something of a project that is deployed by a pipeline of steps."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="services")
    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="deployments_service_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/deployments/services/{self.pk}/"

    @property
    def subject(self) -> str:
        return f"service:{self.pk}"


class StepKind(models.TextChoices):
    COMMAND = "command", "Command"
    MIGRATE = "migrate", "Migrate"
    RESTART = "restart", "Restart"
    HEALTH = "health", "Health"
    MANUAL = "manual", "Manual"
    HTTP = "http", "HTTP check"
    WAIT = "wait", "Wait"
    BACKUP = "backup", "Backup"
    REHEARSE = "rehearse", "Rehearse a migration"


class Method(models.TextChoices):
    """How an HTTP check asks."""

    GET = "GET", "GET"
    HEAD = "HEAD", "HEAD: without the body"


class Details(models.Model):
    """What only some kinds of step have; the columns are the same in a pipeline and in a deployment's plan."""

    # of backup: restores what it made, as a rehearsal; failing it fails the step
    verify = models.JSONField(default=list, db_default=[], blank=True)
    # of migrate: prints the structure of the database; run before and after
    structure = models.JSONField(default=list, db_default=[], blank=True)
    # of http; no statuses: 200, and no text: any body
    method = models.CharField(max_length=4, choices=Method, default="", db_default="", blank=True)
    statuses = models.JSONField(default=list, db_default=[], blank=True)
    contains = models.CharField(max_length=300, default="", db_default="", blank=True)
    # of wait
    pause_seconds = models.PositiveIntegerField(default=0, db_default=0)
    # of health: how long the answers must be right without a break
    soak_seconds = models.PositiveIntegerField(default=0, db_default=0)
    # how often it goes again by itself after its own failure
    retries = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


class PipelineStep(Details):
    """One step of a service's pipeline, as its owners wrote it; releases keep it as it was."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="pipeline")
    n = models.PositiveSmallIntegerField("place", help_text="Steps run in this order.")
    kind = models.CharField(max_length=10, choices=StepKind)
    name = models.CharField(max_length=60)
    # of command, migrate, restart, backup and rehearse
    command = models.JSONField(default=list, blank=True)
    # brings back what the step changed; may run more than once
    undo = models.JSONField(default=list, blank=True)
    # exit code 0 says that the step's effect is there: asked where a worker was lost in it
    probe = models.JSONField(default=list, blank=True)
    # of health and http; {NAME} is a variable of the environment
    url = models.CharField(max_length=300, blank=True)
    # of manual: what a person is to do
    instructions = models.TextField(max_length=2000, blank=True)
    # 0: STEP_WALL_SECONDS
    wall_seconds = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(86_400)])
    # whether going back to a release runs it again; never for migrate, backup, rehearse and manual
    again = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["service", "n"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "n"], name="deployments_pipelinestep_n"),
            models.CheckConstraint(condition=Q(kind__in=sorted(StepKind.values)), name="deployments_pipelinestep_kind"),
        ]

    def __str__(self) -> str:
        return self.name


class OnFailure(models.TextChoices):
    ASK = "ask", "Ask a person"
    ROLL_BACK = "roll_back", "Roll back"


class Environment(models.Model):
    """A place that a project's services are deployed to, and what it takes to get there."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="environments")
    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField(default=1, editable=False)
    # left to right in the matrix
    place = models.PositiveSmallIntegerField(default=0)
    # of people with the role releaser, never of who asked for the deployment; a team of one takes 0
    approvals_needed = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(20)])
    on_failure = models.CharField(max_length=10, choices=OnFailure, default=OnFailure.ASK)
    # a deployment whose gate is not open by then is refused
    wait_hours = models.PositiveSmallIntegerField(
        default=72, validators=[MinValueValidator(1), MaxValueValidator(2160)]
    )
    # a commit goes here once it stands in that one, as its service says, for so many minutes; no cycles
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followers")
    soak_minutes = models.PositiveIntegerField(default=0, db_default=0, validators=[MaxValueValidator(40_320)])
    # after them an approval counts no more; 0: it always does
    approval_hours = models.PositiveSmallIntegerField(default=0, db_default=0, validators=[MaxValueValidator(2160)])
    # names and values that each command gets, and that addresses of health may name; shown to all who may see it
    variables = models.JSONField(default=dict, blank=True)
    # whether a migration takes a backup and a rehearsal before it, and a way back, or a waiver
    migrations_rehearsed = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="deployments_environment_name"),
            models.CheckConstraint(
                condition=Q(on_failure__in=sorted(OnFailure.values)), name="deployments_environment_on_failure"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/deployments/environments/{self.pk}/"

    @property
    def subject(self) -> str:
        return f"environment:{self.pk}"
