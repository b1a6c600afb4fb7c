"""What people decided of findings, for how long, and on what it rests."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from reviews.models.findings import Finding


class DecisionState(models.TextChoices):
    ASKED = "asked", "Waits for a second person"
    IN_FORCE = "in_force", "In force"
    REFUSED = "refused", "Refused"
    ENDED = "ended", "Ended"


class Decision(Tracked):
    """Why a finding is not worked on: rejected, waived or deferred. Who asks for a waiver is not who gives it."""

    class Kind(models.TextChoices):
        REJECT = "reject", "Rejected"
        WAIVE = "waive", "Waived"
        DEFER = "defer", "Deferred"

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="decisions", editable=False)
    kind = models.CharField(max_length=10, choices=Kind, editable=False)
    reason = models.CharField(max_length=2000, editable=False)
    # what shows that it is so: a link, a command and its output, a commit
    evidence = models.TextField(blank=True, editable=False)
    # where a waiver counts: an environment's name, or everywhere
    scope = models.CharField(max_length=130, blank=True, editable=False)
    # the code that it rests on: [{"path", "start", "end", "digest", "commit"}], lines counted from 1
    premises = models.JSONField(default=list, editable=False)
    # a waiver and a deferral end then
    until = models.DateTimeField(null=True, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    # who it was, for readers after the account is gone
    asked_label = models.CharField(max_length=254, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    # of a waiver: the second person
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    given_label = models.CharField(max_length=254, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    end_reason = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["finding"], condition=Q(state__in=["asked", "in_force"]), name="reviews_decision_one_in_force"
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(DecisionState.values)), name="reviews_decision_state"),
            models.CheckConstraint(condition=Q(kind__in=["defer", "reject", "waive"]), name="reviews_decision_kind"),
            models.CheckConstraint(
                condition=Q(kind="reject") | Q(until__isnull=False), name="reviews_decision_waits_until"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="reviews_decision_says_why"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["until"], condition=Q(state="in_force"), name="reviews_decision_due"),
            models.Index(fields=["finding", "-id"], name="reviews_decision_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.finding}"

    @property
    def subject(self) -> str:
        return f"decision:{self.pk}"

    def get_state_display(self) -> str:
        return str(DecisionState(self.state).label)


class SavedFilter(models.Model):
    """A person's name for a list of findings; ``query`` is that of the page's address."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="finding_filters", editable=False
    )
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=1000, blank=True)
    # whether everybody who sees findings is offered it
    shared = models.BooleanField(default=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "name"], name="reviews_savedfilter_name")]

    def __str__(self) -> str:
        return self.name
