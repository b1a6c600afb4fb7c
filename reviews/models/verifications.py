"""Checks of documents, run by the portal: which commands an owner allows, and how each run ended."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from reviews.models.documents import Review
from tickets.models import CheckRun, Project


class AllowedCommand(models.Model):
    """A command of a document that an owner has looked at: this very text may be run for the project, no other."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="allowed_commands", editable=False)
    command = models.CharField(max_length=300, editable=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "command"], name="reviews_allowedcommand_once")
        ]

    def __str__(self) -> str:
        return self.command


class VerificationState(models.TextChoices):
    ASKED = "asked", "Waits or runs"
    ENDED = "ended", "Ended"
    FAILED = "failed", "Could not be run"


class Verification(Tracked):
    """One run of a check that a document names, asked for by a person, at a commit. It outlives another reading."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="verifications", editable=False)
    # the check's text in the document, and the command in it, as it was shown and allowed
    name = models.CharField(max_length=300, editable=False)
    command = models.CharField(max_length=300, editable=False)
    # a branch, a tag or a commit, as it was asked for; empty: the target branch
    asked = models.CharField(max_length=200, blank=True, editable=False)
    commit = models.CharField(max_length=64, blank=True, editable=False)
    outcome = models.CharField(max_length=12, choices=CheckRun.Outcome, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    seconds = models.FloatField(null=True, editable=False)
    # one line, such as "41 passed"; and the end of what it wrote
    summary = models.CharField(max_length=300, blank=True, editable=False)
    output = models.TextField(blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    # who it was, for readers after the account is gone
    asked_label = models.CharField(max_length=254, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(VerificationState.values)), name="reviews_verification_state"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", *sorted(CheckRun.Outcome.values)]), name="reviews_verification_outcome"
            ),
            models.CheckConstraint(
                condition=~Q(state="ended") | (~Q(outcome="") & ~Q(commit="")), name="reviews_verification_of_a_commit"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["review", "-id"], name="reviews_verification_newest")]

    def __str__(self) -> str:
        return self.command

    @property
    def subject(self) -> str:
        return f"verification:{self.pk}"

    def get_state_display(self) -> str:
        return str(VerificationState(self.state).label)
