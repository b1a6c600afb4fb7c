"""What decides: policies, verdicts, approvals, holds."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.places import Environment
from portal.core.lifecycle import Tracked
from tickets.models import Project


class Policy(models.Model):
    """What holds a project's deployments: immutable, the newest number is in force."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="policies", editable=False)
    number = models.PositiveIntegerField(editable=False)
    # a finding of one of these, open or fixed elsewhere than in the commit, holds
    severities = models.JSONField(default=list)
    valid_hours = models.PositiveSmallIntegerField(
        default=24, validators=[MinValueValidator(1), MaxValueValidator(720)]
    )
    # days by severity, after which an open finding holds whatever is above
    ages = models.JSONField(default=dict, db_default={}, blank=True)
    # words in the category of an open finding that hold whatever its severity
    categories = models.JSONField(default=list, db_default=[], blank=True)
    # whether the project's checks must have passed on the commit; and whether a waived finding holds as an open one
    checks = models.BooleanField(default=False, db_default=False)
    waived_holds = models.BooleanField(default=False, db_default=False)
    # whether a council must have looked at the very commit, and say ship
    council = models.BooleanField(default=False, db_default=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "policies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="deployments_policy_number")
        ]

    def __str__(self) -> str:
        return f"policy {self.number} of {self.project.key}"


class Verdict(models.Model):
    """A frozen answer to "may this commit ship?": the policy and the findings it saw, and those that hold it.

    It is stale once what it saw has changed, or its time is over.
    """

    class Answer(models.TextChoices):
        """``SHIP_AFTER``: for each finding that holds there is a fix, which this commit does not hold yet."""

        SHIP = "ship", "Ship"
        SHIP_AFTER = "ship_after", "Ship after"
        DO_NOT_SHIP = "do_not_ship", "Do not ship"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="verdicts", editable=False)
    commit = models.CharField(max_length=64, blank=True, editable=False)
    # 0: the installation's own, which every project has until it makes one
    policy = models.PositiveIntegerField(default=0, editable=False)
    # of the policy's number and each finding that it looks at, with its version
    digest = models.CharField(max_length=64, editable=False)
    go = models.BooleanField(editable=False)
    answer = models.CharField(max_length=12, choices=Answer, blank=True, default="", db_default="", editable=False)
    # the accepted merges that the commit holds
    merges = models.JSONField(default=list, db_default=[], editable=False)
    blocking = models.JSONField(default=list, editable=False)
    reasons = models.JSONField(default=list, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    valid_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "commit", "-id"], name="deployments_verdict_of_commit")]

    def __str__(self) -> str:
        if self.go:
            return "go"
        held = f"{len(self.blocking)} finding{'' if len(self.blocking) == 1 else 's'}"
        first = self.reasons[0] if self.reasons else {}
        return f"held by {held if self.blocking else 'its council' if first.get('council') else 'its checks'}"

    @property
    def untold(self) -> int:
        """How many of the findings that hold are in no reason."""
        return len(self.blocking) - sum(1 for reason in self.reasons if reason["finding"])


class ApprovalState(models.TextChoices):
    GIVEN = "given", "Given"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Approval(Tracked):
    """A person's yes to one deployment's release and plan; it counts for no other."""

    deployment = models.ForeignKey(
        "deployments.Deployment", on_delete=models.CASCADE, related_name="approvals", editable=False
    )
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    approver_label = models.CharField(max_length=254, editable=False)
    # the digest of the deployment's plan as it was approved; another plan takes other approvals
    target_digest = models.CharField(max_length=64, editable=False)
    reason = models.CharField(max_length=500, blank=True, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(ApprovalState.values)), name="deployments_approval_state"
            ),
            models.UniqueConstraint(
                fields=["approver", "target_digest"],
                condition=Q(state="given"),
                name="deployments_approval_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.approver_label} on {self.deployment}"

    def get_state_display(self) -> str:
        return str(ApprovalState(self.state).label)


class HoldState(models.TextChoices):
    HOLDING = "holding", "Holding"
    LIFTED = "lifted", "Lifted"


class Hold(Tracked):
    """A release that goes nowhere, or an environment that takes nothing, until a person lifts it."""

    release = models.ForeignKey(
        "deployments.Release", on_delete=models.CASCADE, null=True, related_name="holds", editable=False
    )
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, null=True, related_name="holds", editable=False
    )
    # the deployment whose rollback holds the release; empty where a person does
    cause = models.ForeignKey(
        "deployments.Deployment", on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    reason = models.CharField(max_length=500, editable=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    lifted_by = models.CharField(max_length=254, blank=True, editable=False)
    lift_reason = models.CharField(max_length=500, blank=True, editable=False)
    lifted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(HoldState.values)), name="deployments_hold_state"),
            models.CheckConstraint(
                condition=Q(release=None, environment__isnull=False) | Q(release__isnull=False, environment=None),
                name="deployments_hold_of_one",
            ),
            models.UniqueConstraint(
                fields=["release"], condition=Q(state="holding"), name="deployments_hold_release_once"
            ),
            models.UniqueConstraint(
                fields=["environment"], condition=Q(state="holding"), name="deployments_hold_environment_once"
            ),
        ]

    def __str__(self) -> str:
        return f"hold of {self.held}"

    @property
    def held(self) -> models.Model:
        found: models.Model | None = self.release or self.environment
        assert found is not None
        return found

    @property
    def subject(self) -> str:
        return f"hold:{self.pk}"

    def get_state_display(self) -> str:
        return str(HoldState(self.state).label)
