"""Series, and the documents that are its versions."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models import Project, Ticket, Turn


class Series(models.Model):
    """Reviews of one thing, version after version; findings have their identity in it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="series")
    name = models.CharField(max_length=200)
    # rises with every plan that is applied or reverted: a plan made before that is stale
    version = models.PositiveIntegerField(default=0, editable=False)
    # how its documents' own words are read: {"fields": {field: column}, "severities": {word: severity}}
    mapping = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "series"
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="reviews_series_name")]

    def __str__(self) -> str:
        return self.name


class ReviewState(models.TextChoices):
    RECEIVED = "received", "Received"
    PLANNED = "planned", "Planned"
    APPLIED = "applied", "Applied"
    REVERTED = "reverted", "Reverted"
    DISCARDED = "discarded", "Discarded"
    FAILED = "failed", "Failed"


class Review(Tracked):
    """One document at a version of a series, verbatim."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="reviews", editable=False)
    number = models.PositiveIntegerField(editable=False)
    title = models.CharField(max_length=300, editable=False)
    file_name = models.CharField(max_length=200, blank=True, editable=False)
    content = models.BinaryField(editable=False)
    # what lines are counted in, where it is not the document decoded: HTML reduced, the beginning of what is long
    read_text = models.TextField(blank=True, default="", db_default="", editable=False)
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    # what it was read as, and by which program it says that it was written
    form = models.CharField(max_length=20, default="markdown", db_default="markdown", editable=False)
    tool = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    # the commit that its places are places of, where the project's repository has it
    commit = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # what the reading said: totals stated and found, disagreements, what was left out, repairs
    reading = models.JSONField(default=dict, editable=False)
    # the ticket that the document says it is about, where the project has it
    subject_ticket = models.ForeignKey(
        Ticket, on_delete=models.SET_NULL, null=True, related_name="reviews_about", editable=False
    )
    # the turn whose agent handed it in, and who a council asked for it; of what commit it is, whatever it says itself
    turn = models.ForeignKey(Turn, on_delete=models.SET_NULL, null=True, related_name="reviews", editable=False)
    reviewer = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)
    subject_commit = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # whether tickets made of its findings take the keys that the document gives them
    document_keys = models.BooleanField(default=True, editable=False)
    # the version of the series that the plan was made on
    planned_on = models.PositiveIntegerField(default=0, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "number"], name="reviews_review_number"),
            models.UniqueConstraint(fields=["series", "digest"], name="reviews_review_same_document"),
            models.CheckConstraint(condition=Q(state__in=sorted(ReviewState.values)), name="reviews_review_state"),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "-id"], name="reviews_review_by_state")]

    def __str__(self) -> str:
        return f"{self.series} v{self.number}"

    @property
    def subject(self) -> str:
        return f"review:{self.pk}"

    def get_state_display(self) -> str:
        return str(ReviewState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/reviews/{self.pk}/"


class Check(models.Model):
    """A check that the document says was run, and how it ended by the document's word."""

    class Outcome(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"
        UNKNOWN = "unknown", "Not stated"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="checks", editable=False)
    n = models.PositiveIntegerField(editable=False)
    name = models.CharField(max_length=300, editable=False)
    outcome = models.CharField(max_length=10, choices=Outcome, editable=False)
    detail = models.CharField(max_length=500, blank=True, editable=False)
    line = models.PositiveIntegerField(editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "n"], name="reviews_check_n"),
            models.CheckConstraint(
                condition=Q(outcome__in=["failed", "passed", "skipped", "unknown"]), name="reviews_check_outcome"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ActionItem(models.Model):
    """A thing to do that the document lists beside its findings."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="action_items", editable=False)
    n = models.PositiveIntegerField(editable=False)
    text = models.CharField(max_length=500, editable=False)
    section = models.CharField(max_length=200, blank=True, editable=False)
    # by the document's word; empty where it does not say
    done = models.BooleanField(null=True, editable=False)
    line = models.PositiveIntegerField(editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="action_items", editable=False
    )
    # by a person's word, which stands above the document's; and whose it was
    ticked = models.BooleanField(null=True, editable=False)
    ticked_by = models.CharField(max_length=254, blank=True, default="", db_default="", editable=False)
    ticked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["review", "n"], name="reviews_actionitem_n")]

    def __str__(self) -> str:
        return self.text
