"""Addresses that are told of verdicts, and each telling."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.gates import Verdict
from portal.core.lifecycle import Tracked
from tickets.models import Project


class WebhookState(models.TextChoices):
    ON = "on", "On"
    OFF = "off", "Off"


class Webhook(Tracked):
    """An address that a project tells its verdicts. Where it leads never changes: another address is another one."""

    class Form(models.TextChoices):
        GENERIC = "generic", "Generic"
        GITHUB = "github", "GitHub status"
        GITLAB = "gitlab", "GitLab status"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks", editable=False)
    form = models.CharField(max_length=10, choices=Form, editable=False)
    # of a status: with {commit} where the commit's name stands
    url = models.CharField(max_length=500, editable=False)
    # names of secrets: what signs each body, and what the receiver lets in by
    secret = models.CharField(max_length=80, blank=True, editable=False)
    token = models.CharField(max_length=80, blank=True, editable=False)
    # whether the host may be of a private network; an admin says so
    private = models.BooleanField(default=False, editable=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(WebhookState.values)), name="deployments_webhook_state"
            ),
            models.CheckConstraint(
                condition=Q(form__in=["generic", "github", "gitlab"]), name="deployments_webhook_form"
            ),
            models.CheckConstraint(condition=~Q(secret="") | ~Q(token=""), name="deployments_webhook_is_known"),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def subject(self) -> str:
        return f"webhook:{self.pk}"

    def get_state_display(self) -> str:
        return str(WebhookState(self.state).label)


class TellingState(models.TextChoices):
    WAITING = "waiting", "Waits or is sent"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class Telling(Tracked):
    """One thing that an address is told: the body as it is sent, and how the newest try ended."""

    class Event(models.TextChoices):
        VERDICT = "verdict", "Verdict"
        STALE = "verdict.stale", "Verdict is stale"
        PING = "ping", "Try"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="tellings", editable=False)
    # the same however often it is sent: whoever gets it twice knows it
    delivery = models.CharField(max_length=32, unique=True, editable=False)
    event = models.CharField(max_length=16, choices=Event, editable=False)
    # no index of its own: whoever looks for those of a verdict knows the webhook
    verdict = models.ForeignKey(
        Verdict, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False, editable=False
    )
    commit = models.CharField(max_length=64, blank=True, editable=False)
    body = models.TextField(editable=False)
    tries = models.PositiveIntegerField(default=0, editable=False)
    # of the newest try: its status and the beginning of its answer, or why there was none
    status = models.PositiveSmallIntegerField(null=True, editable=False)
    answer = models.CharField(max_length=2000, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    tried_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(TellingState.values)), name="deployments_telling_state"
            ),
            models.CheckConstraint(
                condition=Q(event__in=["ping", "verdict", "verdict.stale"]), name="deployments_telling_event"
            ),
            models.UniqueConstraint(
                fields=["webhook", "verdict", "event"],
                condition=Q(verdict__isnull=False),
                name="deployments_telling_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["webhook", "-id"], name="deployments_telling_newest")]

    def __str__(self) -> str:
        return f"{self.get_event_display()} {self.commit[:9]}".strip()

    @property
    def subject(self) -> str:
        return f"telling:{self.pk}"

    def get_state_display(self) -> str:
        return str(TellingState(self.state).label)
