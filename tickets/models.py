"""Project, ticket, turn, workspace: the work and who does it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.access import Role
from portal.core.lifecycle import Tracked
from workers.models import AgentVersion, Attempt


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
    created_at = models.DateTimeField(db_default=Now(), editable=False)

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


class TicketState(models.TextChoices):
    OPEN = "open", "Open"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    NEEDS_PERSON = "needs_person", "Needs a person"
    IN_REVIEW = "in_review", "In review"
    UNPROVEN = "unproven", "Unproven"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
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
    accepted_commit = models.CharField(max_length=64, blank=True, editable=False)
    # the number of its newest message: allocated under the lock of this row, see ``conversation``
    last_message = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="tickets_ticket_number"),
            models.CheckConstraint(condition=Q(state__in=sorted(TicketState.values)), name="tickets_ticket_state"),
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


class TurnState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    NEEDS_INPUT = "needs_input", "Needs input"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class Turn(Tracked):
    """One attempt of one agent at one ticket. A retry is a new turn with a new nonce."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="turns", editable=False)
    seq = models.PositiveIntegerField(editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="turn", editable=False)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, editable=False)
    nonce = models.CharField(max_length=64, editable=False)
    payload = models.TextField(blank=True, editable=False)
    verdict = models.CharField(max_length=300, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    base_commit = models.CharField(max_length=64, blank=True, editable=False)
    head_commit = models.CharField(max_length=64, blank=True, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket", "seq"], name="tickets_turn_seq"),
            models.UniqueConstraint(fields=["ticket"], condition=Q(state="running"), name="tickets_turn_one_live"),
            models.CheckConstraint(condition=Q(state__in=sorted(TurnState.values)), name="tickets_turn_state"),
        ]

    def __str__(self) -> str:
        return f"turn {self.seq} of {self.ticket}"

    @property
    def proven(self) -> bool:
        """The portal saw a new commit; a claim alone proves nothing."""
        return self.state == TurnState.DONE and bool(self.head_commit) and self.head_commit != self.base_commit


class Author(models.TextChoices):
    PERSON = "person", "Person"
    AGENT = "agent", "Agent"
    PORTAL = "portal", "Shiproom"


class Message(models.Model):
    """One row of a ticket's conversation, numbered per ticket. Its text never changes."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="messages", editable=False)
    number = models.PositiveIntegerField(editable=False)
    author_kind = models.CharField(max_length=10, choices=Author, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="messages", editable=False
    )
    # who it was, for readers after the account is gone
    author_label = models.CharField(max_length=254, editable=False)
    # the turn that said it, where an agent is the author
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, null=True, related_name="messages", editable=False)
    body = models.TextField(blank=True, editable=False)
    # for people only: no agent is given it
    internal = models.BooleanField(default=False, editable=False)
    # the sender's own name of this message: the same twice from the same author is one message
    idempotency_key = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket", "number"], name="tickets_message_number"),
            models.UniqueConstraint(
                fields=["ticket", "author", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="tickets_message_sent_once",
            ),
            models.CheckConstraint(
                condition=Q(author_kind__in=["agent", "person", "portal"]), name="tickets_message_author_kind"
            ),
            models.CheckConstraint(
                condition=Q(author_kind="agent", turn__isnull=False)
                | Q(turn__isnull=True, author_kind__in=["person", "portal"]),
                name="tickets_message_agent_has_turn",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} of {self.ticket}"


class DeliveryState(models.TextChoices):
    TAKEN = "taken", "Taken"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RETURNED = "returned", "Returned"


class Delivery(Tracked):
    """Which turn took a message; back in the queue if that turn did not acknowledge it."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries", editable=False)
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="deliveries", editable=False)
    taken_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "turn"], name="tickets_delivery_once_a_turn"),
            models.UniqueConstraint(
                fields=["message"],
                condition=Q(state__in=["acknowledged", "taken"]),
                name="tickets_delivery_one_live",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(DeliveryState.values)), name="tickets_delivery_state"),
        ]

    def __str__(self) -> str:
        return f"{self.message} to {self.turn}"


class Attachment(models.Model):
    """A file of a ticket. Its bytes lie under a random name in the data folder, never under its own."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="attachments", editable=False)
    message = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, related_name="attachments", editable=False
    )
    # for people to read: no folder, no control character
    name = models.CharField(max_length=200, editable=False)
    # what the first bytes say it is, not what its sender says
    media_type = models.CharField(max_length=100, editable=False)
    size_bytes = models.BigIntegerField(editable=False)
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    stored_as = models.CharField(max_length=64, unique=True, editable=False)
    uploader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="attachments", editable=False
    )
    uploader_label = models.CharField(max_length=254, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    removed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ticket", "digest"],
                condition=Q(removed_at__isnull=True),
                name="tickets_attachment_same_file",
            ),
        ]

    def __str__(self) -> str:
        return self.name
