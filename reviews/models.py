"""Series, review, finding, occurrence, and the plan of an import."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models import Project, Ticket


class Series(models.Model):
    """Reviews of one thing, version after version; findings have their identity in it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="series")
    name = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "series"
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "name"], name="reviews_series_name")]

    def __str__(self) -> str:
        return self.name


class ReviewState(models.TextChoices):
    RECEIVED = "received", "Received"
    PLANNED = "planned", "Planned"
    APPLIED = "applied", "Applied"
    FAILED = "failed", "Failed"


class Review(Tracked):
    """One document at a version of a series, verbatim."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="reviews", editable=False)
    number = models.PositiveIntegerField(editable=False)
    title = models.CharField(max_length=300, editable=False)
    file_name = models.CharField(max_length=200, blank=True, editable=False)
    content = models.BinaryField(editable=False)
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    # what the reading said: totals stated and found, disagreements, what was left out, repairs
    reading = models.JSONField(default=dict, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "number"], name="reviews_review_number"),
            models.UniqueConstraint(fields=["series", "digest"], name="reviews_review_same_document"),
            models.CheckConstraint(condition=Q(state__in=sorted(ReviewState.values)), name="reviews_review_state"),
        ]

    def __str__(self) -> str:
        return f"{self.series} v{self.number}"

    @property
    def subject(self) -> str:
        return f"review:{self.pk}"

    def get_state_display(self) -> str:
        return str(ReviewState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/reviews/{self.pk}/"


class Severity(models.TextChoices):
    CRITICAL = "critical", "Critical"
    HIGH = "high", "Important"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Minor"
    INFO = "info", "Info"
    NONE = "none", "Not stated"


class FindingState(models.TextChoices):
    """Open until somebody answers."""

    OPEN = "open", "Open"
    FIXED = "fixed", "Fixed"
    REJECTED = "rejected", "Rejected"
    WAIVED = "waived", "Waived"


class Finding(Tracked):
    """The problem, with its identity in a series."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="findings", editable=False)
    # the author's reference, or the digest of the title where there is none
    identity = models.CharField(max_length=80, editable=False)
    reference = models.CharField(max_length=40, blank=True, editable=False)
    title = models.CharField(max_length=300, editable=False)
    severity = models.CharField(max_length=10, choices=Severity, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="findings", editable=False)
    answer = models.TextField(blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "identity"], name="reviews_finding_identity"),
            models.CheckConstraint(condition=Q(state__in=sorted(FindingState.values)), name="reviews_finding_state"),
            models.CheckConstraint(condition=Q(severity__in=sorted(Severity.values)), name="reviews_finding_severity"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["series", "severity"], condition=Q(state="open"), name="reviews_finding_open")
        ]

    def __str__(self) -> str:
        return self.reference or self.title

    @property
    def subject(self) -> str:
        return f"finding:{self.pk}"

    def get_state_display(self) -> str:
        return str(FindingState(self.state).label)


class Occurrence(models.Model):
    """What one review says of a finding, and where."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="occurrences", editable=False)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="occurrences", editable=False)
    severity_as_written = models.CharField(max_length=60, blank=True, editable=False)
    status = models.CharField(max_length=20, blank=True, editable=False)
    line_start = models.PositiveIntegerField(editable=False)
    line_end = models.PositiveIntegerField(editable=False)
    body = models.TextField(blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["finding", "review"], name="reviews_occurrence_once")]

    def __str__(self) -> str:
        return f"{self.finding} in {self.review}"


class ImportRow(models.Model):
    """One row of the plan: what applying will do with one item of the document, and why."""

    class Action(models.TextChoices):
        NEW = "new", "New finding"
        SEEN = "seen", "Seen again"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="rows", editable=False)
    n = models.PositiveIntegerField(editable=False)
    action = models.CharField(max_length=10, choices=Action, editable=False)
    reason = models.CharField(max_length=300, editable=False)
    identity = models.CharField(max_length=80, editable=False)
    item = models.JSONField(editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "n"], name="reviews_importrow_n"),
            models.CheckConstraint(condition=Q(action__in=["new", "seen"]), name="reviews_importrow_action"),
        ]

    def __str__(self) -> str:
        return f"row {self.n} of {self.review}"
