"""What people and agents say on a ticket: messages and who read them, files, questions."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models.tickets import Ticket
from tickets.models.turns import Turn


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


class QuestionState(models.TextChoices):
    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"
    SET_ASIDE = "set_aside", "Set aside"


def question_name(seq: int, n: int) -> str:
    """Of the ``n``-th question of turn ``seq``, after its ticket."""
    return f"{seq}" if n == 1 else f"{seq}.{n}"


class QuestionKind(models.TextChoices):
    QUESTION = "question", "Question"
    PERMISSION = "permission", "Permission"


class Question(Tracked):
    """What an agent asks, answered once; the answer goes into the same session.

    A live one was asked by a turn that runs on and waits for it; see ``steering``.
    """

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="questions", editable=False)
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="questions", editable=False)
    # which of its turn, from 1
    n = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)
    kind = models.CharField(
        max_length=10,
        choices=QuestionKind,
        default=QuestionKind.QUESTION,
        db_default=QuestionKind.QUESTION.value,
        editable=False,
    )
    live = models.BooleanField(default=False, db_default=False, editable=False)
    # how a running agent names it, and when it had read the answer
    asked_as = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)
    # SHA-256 of a tool's name and input: the same again is the same permission
    digest = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    text = models.TextField(editable=False)
    # [{"label": ..., "detail": ...}]; none: any text answers
    options = models.JSONField(default=list, editable=False)
    # the place of the agent's own default among the options
    default = models.PositiveSmallIntegerField(null=True, editable=False)
    deadline_at = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    # the place of the option that was chosen, if one was; and the answer in words
    choice = models.PositiveSmallIntegerField(null=True, editable=False)
    answer = models.TextField(blank=True, editable=False)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="answers", editable=False
    )
    # who it was, for readers after the account is gone; the portal where a default answered
    answered_label = models.CharField(max_length=254, blank=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)
    # since when the answer is a decision of the project, and who made it one
    kept_at = models.DateTimeField(null=True, editable=False)
    kept_label = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket"], condition=Q(state="open"), name="tickets_question_one_open"),
            models.UniqueConstraint(fields=["turn", "n"], name="tickets_question_n"),
            models.UniqueConstraint(
                fields=["turn", "asked_as"], condition=~Q(asked_as=""), name="tickets_question_asked_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="permission") & ~Q(digest="") | Q(kind="question", digest=""),
                name="tickets_question_kind",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(QuestionState.values)), name="tickets_question_state"),
            models.CheckConstraint(
                condition=(Q(state="answered", answered_at__isnull=False) & ~Q(answer="") & ~Q(answered_label=""))
                | (~Q(state="answered") & Q(answered_at__isnull=True, answer="", answered_label="")),
                name="tickets_question_answered_iff",
            ),
            models.CheckConstraint(
                condition=(Q(kept_at__isnull=False, state="answered", kind="question") & ~Q(kept_label=""))
                | Q(kept_at__isnull=True, kept_label=""),
                name="tickets_question_kept_iff",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deadline_at"], condition=Q(state="open"), name="tickets_question_due"),
            models.Index(fields=["ticket", "digest"], condition=~Q(digest=""), name="tickets_question_decided"),
            models.Index(fields=["kept_at", "id"], condition=Q(kept_at__isnull=False), name="tickets_question_kept"),
        ]

    def __str__(self) -> str:
        return f"question of {self.turn}" if self.n == 1 else f"question {self.n} of {self.turn}"

    @property
    def name(self) -> str:
        """How its subject and the key of its answer name it, after its ticket."""
        return question_name(self.turn.seq, self.n)

    @property
    def place(self) -> str:
        """Where its answer stands on its ticket's page."""
        return f"question-{self.turn.seq}" if self.n == 1 else f"question-{self.turn.seq}-{self.n}"
