"""What tickets belong to: a project, its members, and the counter of its numbers."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.access import Role


class MergeStrategy(models.TextChoices):
    MERGE = "merge", "A merge commit"
    REBASE = "rebase", "Rebase, then fast forward"


class Landing(models.TextChoices):
    """How accepted work gets into the target branch."""

    PUSH = "push", "The portal pushes it"
    BRANCH = "branch", "Its branch is pushed; somebody merges it there"


class Project(models.Model):
    """Owns tickets; its key and counter make identifiers such as MC-294."""

    key = models.CharField(
        max_length=10,
        unique=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{1,9}$", "2 to 10 capital letters and digits, a letter first.")],
    )
    name = models.CharField(max_length=100)
    repository = models.CharField(
        max_length=500, blank=True, help_text="Path of the git repository, on the machine of the workers."
    )
    target_branch = models.CharField(
        max_length=200, blank=True, help_text="Accepted work is merged into it. Empty: the one that is checked out."
    )
    merge_strategy = models.CharField(max_length=10, choices=MergeStrategy, default=MergeStrategy.MERGE)
    landing = models.CharField(max_length=10, choices=Landing, default=Landing.PUSH, db_default=Landing.PUSH.value)
    # names of stored secrets: how git signs in at the repository, by ssh and by https
    deploy_key = models.CharField(max_length=80, blank=True, default="", db_default="")
    access_token = models.CharField(max_length=80, blank=True, default="", db_default="")
    # who the token is of, where the host wants to know
    access_user = models.CharField(max_length=100, blank=True, default="", db_default="")
    # of the repository's host, as lines of known_hosts
    host_keys = models.TextField(blank=True, default="", db_default="")
    checks = models.JSONField(
        default=list, blank=True, help_text='Commands, each a list: [["make", "test"]]. All must exit with 0.'
    )
    allowed_paths = models.JSONField(
        default=list, blank=True, help_text='What turns may change: ["src/", "docs/**/*.md"]. Empty: all.'
    )
    # work is accepted once another agent has approved it
    second_agent = models.BooleanField("another agent reviews first", default=False)
    # a question that nobody answered by its deadline is answered by its own default
    default_answers = models.BooleanField("defaults answer at the deadline", default=False)
    # rises with every change of these settings
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(merge_strategy__in=sorted(MergeStrategy.values)), name="tickets_project_merge_strategy"
            ),
            models.CheckConstraint(condition=Q(landing__in=sorted(Landing.values)), name="tickets_project_landing"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def scope(self) -> str:
        """The scope whose roles rule over everything of this project."""
        return f"project:{self.pk}"


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(
        choices=[(role.value, role.label) for role in Role], default=Role.VIEWER.value
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "user"], name="tickets_membership_once"),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="tickets_membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {Role(self.role).label} of {self.project}"


class ProjectCounter(models.Model):
    """The last number given to a ticket of the project. In no form; see ``identifiers``."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="counter", editable=False
    )
    last = models.PositiveIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return f"{self.project_id}: {self.last}"
