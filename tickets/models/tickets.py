"""The ticket, its other names, and the worktree in which it is worked on."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models.projects import Project
from workers.models import AgentVersion


class TicketState(models.TextChoices):
    OPEN = "open", "Open"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    NEEDS_PERSON = "needs_person", "Needs a person"
    IN_REVIEW = "in_review", "In review"
    UNPROVEN = "unproven", "Unproven"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
    MERGING = "merging", "Merging"
    DONE = "done", "Done"


class Ticket(Tracked):
    """A piece of work with a status, turns and a history."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tickets", editable=False)
    number = models.PositiveIntegerField(editable=False)
    # "MC-294", kept beside its parts so that lists and lookups need no join
    key = models.CharField(max_length=24, unique=True, editable=False)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, null=True, editable=False)
    # the turn's commit that was accepted, and the one of the target branch that holds it
    accepted_commit = models.CharField(max_length=64, blank=True, editable=False)
    merged_commit = models.CharField(max_length=64, blank=True, editable=False)
    # the number of its newest message: allocated under the lock of this row, see ``conversation``
    last_message = models.PositiveIntegerField(default=0, editable=False)
    # the person who has taken it over: no turn begins until it is handed back; see ``taking_over``
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    # who it was, for readers after the account is gone
    taken_label = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)
    taken_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="tickets_ticket_number"),
            models.CheckConstraint(condition=Q(state__in=sorted(TicketState.values)), name="tickets_ticket_state"),
            models.CheckConstraint(
                condition=Q(taken_at__isnull=False) & ~Q(taken_label="")
                | Q(taken_at__isnull=True, taken_by__isnull=True, taken_label=""),
                name="tickets_ticket_taken_iff",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-number"], name="tickets_ticket_newest"),
            models.Index(fields=["state", "-id"], name="tickets_ticket_by_state"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def subject(self) -> str:
        """How history, jobs and streams name it."""
        return f"ticket:{self.key}"

    def get_state_display(self) -> str:
        return str(TicketState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/tickets/{self.key}/"


class KeyAlias(models.Model):
    """Another name of a ticket in its project: the key that a document gave it, where the project has other keys."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="aliases", editable=False)
    key = models.CharField(max_length=24, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="aliases", editable=False)

    class Meta:
        verbose_name_plural = "key aliases"
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "key"], name="tickets_keyalias_once")]
        indexes: ClassVar = [models.Index(fields=["key"], name="tickets_keyalias_key")]

    def __str__(self) -> str:
        return f"{self.key} is {self.ticket}"


class Workspace(models.Model):
    """The ticket's git worktree, on one host."""

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, related_name="workspace", editable=False)
    host = models.CharField(max_length=120, editable=False)
    path = models.CharField(max_length=500, editable=False)
    branch = models.CharField(max_length=120, editable=False)
    base_commit = models.CharField(max_length=64, editable=False)

    def __str__(self) -> str:
        return f"{self.ticket} at {self.host}"
