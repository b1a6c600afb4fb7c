"""Findings, what each review says of them, and how they are known again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from reviews.models.documents import Review, Series
from tickets.models import Ticket


class Severity(models.TextChoices):
    CRITICAL = "critical", "Critical"
    HIGH = "high", "Important"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Minor"
    INFO = "info", "Info"
    NONE = "none", "Not stated"


class FindingState(models.TextChoices):
    """Open until somebody answers. Withdrawn: the import that brought it was reverted; it is in no list."""

    OPEN = "open", "Open"
    FIXED = "fixed", "Fixed"
    REJECTED = "rejected", "Rejected"
    WAIVED = "waived", "Waived"
    DEFERRED = "deferred", "Deferred"
    MERGED = "merged", "Merged"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Finding(Tracked):
    """The problem, with its identity in a series."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="findings", editable=False)
    # the author's reference, or the digest of the title where there is none
    identity = models.CharField(max_length=80, editable=False)
    reference = models.CharField(max_length=40, blank=True, editable=False)
    # the key that the document gives to the ticket of this finding, such as MC-294
    ticket_key = models.CharField(max_length=24, blank=True, editable=False)
    title = models.CharField(max_length=300, editable=False)
    severity = models.CharField(max_length=10, choices=Severity, editable=False)
    category = models.CharField(max_length=100, blank=True, editable=False)
    # what a tool calls the kind of problem, such as py/sql-injection
    rule = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # places in the code, as written
    files = models.JSONField(default=list, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="findings", editable=False)
    answer = models.TextField(blank=True, editable=False)
    # the finding that is the same problem and goes on, where this one was merged
    merged_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="merged", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "identity"], name="reviews_finding_identity"),
            models.CheckConstraint(condition=Q(state__in=sorted(FindingState.values)), name="reviews_finding_state"),
            models.CheckConstraint(condition=Q(severity__in=sorted(Severity.values)), name="reviews_finding_severity"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["series", "severity"], condition=Q(state="open"), name="reviews_finding_open"),
            models.Index(fields=["state", "-id"], name="reviews_finding_by_state"),
            models.Index(fields=["series", "-id"], name="reviews_finding_newest"),
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
    # its place among the items of the document
    n = models.PositiveIntegerField(default=0, editable=False)
    title = models.CharField(max_length=300, blank=True, editable=False)
    reference = models.CharField(max_length=40, blank=True, editable=False)
    severity_as_written = models.CharField(max_length=60, blank=True, editable=False)
    category = models.CharField(max_length=100, blank=True, editable=False)
    files = models.JSONField(default=list, editable=False)
    # pairs of label and value, such as ["Impact", "..."]
    fields = models.JSONField(default=list, editable=False)
    status = models.CharField(max_length=20, blank=True, editable=False)
    status_reason = models.CharField(max_length=500, blank=True, editable=False)
    # the author's order of fixing: the tier's label and the place in it over all tiers, from 1
    tier = models.CharField(max_length=100, blank=True, editable=False)
    rank = models.PositiveIntegerField(null=True, editable=False)
    line_start = models.PositiveIntegerField(editable=False)
    line_end = models.PositiveIntegerField(editable=False)
    body = models.TextField(blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["finding", "review"], name="reviews_occurrence_once")]

    def __str__(self) -> str:
        return f"{self.finding} in {self.review}"


class Fingerprint(models.Model):
    """One way of telling that two mentions are the same problem, computed by a named and numbered algorithm."""

    class Algorithm(models.TextChoices):
        KEY = "key", "Ticket key"
        TITLE = "title", "Title"
        PLACE = "place", "Place"
        TOOL = "tool", "Tool"
        REGION = "region", "Code"

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="fingerprints", editable=False)
    algorithm = models.CharField(max_length=20, choices=Algorithm, editable=False)
    algorithm_version = models.PositiveSmallIntegerField(editable=False)
    value = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["finding", "algorithm", "algorithm_version", "value"], name="reviews_fingerprint_once"
            ),
            models.CheckConstraint(
                condition=Q(algorithm__in=["key", "place", "region", "title", "tool"]),
                name="reviews_fingerprint_algorithm",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["algorithm", "algorithm_version", "value"], name="reviews_fingerprint_value")
        ]

    def __str__(self) -> str:
        return f"{self.algorithm} of {self.finding}"


class Edge(models.TextChoices):
    """A step from a finding towards production."""

    TURN = "turn", "Turn"
    COMMIT = "commit", "Commit"
    RELEASE = "release", "Release"
    # the fix stands there; and the service itself said so
    DEPLOYMENT = "deployment", "Deployment"
    HEALTH = "health", "Health"


class Strength(models.TextChoices):
    CLAIMED = "claimed", "Claimed"
    MEASURED = "measured", "Measured"
    CONFIRMED = "confirmed", "Confirmed"


class Evidence(models.Model):
    """An edge from a finding towards production: how well it is known, and who says so."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="evidence", editable=False)
    edge = models.CharField(max_length=12, choices=Edge, editable=False)
    # what is at its end: a turn's name, a commit, a release's name, a deployment's number
    ref = models.CharField(max_length=200, editable=False)
    # of deployment and health: where
    place = models.CharField(max_length=130, blank=True, editable=False)
    strength = models.CharField(max_length=10, choices=Strength, editable=False)
    detail = models.CharField(max_length=300, blank=True, editable=False)
    by = models.CharField(max_length=254, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "evidence"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "edge", "ref"], name="reviews_evidence_once"),
            models.CheckConstraint(condition=Q(edge__in=sorted(Edge.values)), name="reviews_evidence_edge"),
            models.CheckConstraint(condition=Q(strength__in=sorted(Strength.values)), name="reviews_evidence_strength"),
        ]

    def __str__(self) -> str:
        return f"{self.edge} {self.ref}, {self.strength}"
