"""Series, review, finding, occurrence, and the plan of an import."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.keys import Keys
from tickets.models import Project, Ticket


class Series(models.Model):
    """Reviews of one thing, version after version; findings have their identity in it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="series")
    name = models.CharField(max_length=200)
    # rises with every plan that is applied or reverted: a plan made before that is stale
    version = models.PositiveIntegerField(default=0, editable=False)

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
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    # what the reading said: totals stated and found, disagreements, what was left out, repairs
    reading = models.JSONField(default=dict, editable=False)
    # the ticket that the document says it is about, where the project has it
    subject_ticket = models.ForeignKey(
        Ticket, on_delete=models.SET_NULL, null=True, related_name="reviews_about", editable=False
    )
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
    # places in the code, as written
    files = models.JSONField(default=list, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="findings", editable=False)
    answer = models.TextField(blank=True, editable=False)
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
                condition=Q(algorithm__in=["key", "place", "title"]), name="reviews_fingerprint_algorithm"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["algorithm", "algorithm_version", "value"], name="reviews_fingerprint_value")
        ]

    def __str__(self) -> str:
        return f"{self.algorithm} of {self.finding}"


class ImportRow(models.Model):
    """One row of the plan: what applying does with one item of the document, and why.

    The same row carries what was done, so that it can be taken back.
    """

    class Action(models.TextChoices):
        NEW = "new", "New"
        SEEN = "seen", "Seen again"
        CLOSE = "close", "Close"
        REOPEN = "reopen", "Open again"
        CARRY = "carry", "Carry"

    class Outcome(models.TextChoices):
        PLANNED = "planned", "Planned"
        APPLIED = "applied", "Applied"
        REVERTED = "reverted", "Reverted"
        KEPT = "kept", "Kept"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="rows", editable=False)
    n = models.PositiveIntegerField(editable=False)
    action = models.CharField(max_length=10, choices=Action, editable=False)
    reason = models.CharField(max_length=300, editable=False)
    identity = models.CharField(max_length=80, editable=False)
    # the item as it was read; empty where the document does not speak of the finding
    item = models.JSONField(editable=False)
    # a person took the row out of the plan: it is not applied
    left_out = models.BooleanField(default=False, editable=False)
    ticket_key = models.CharField(max_length=24, blank=True, editable=False)
    keys = models.CharField(max_length=10, choices=Keys, blank=True, editable=False)
    # the finding that the row is about: known when planned, or made by applying
    finding = models.ForeignKey(
        Finding, on_delete=models.SET_NULL, null=True, related_name="import_rows", editable=False
    )
    # what applying changed of the finding, as it was before
    before = models.JSONField(default=dict, editable=False)
    # the finding's version that applying left: if it is another now, somebody has touched it since
    finding_version = models.PositiveIntegerField(null=True, editable=False)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.PLANNED, editable=False)
    outcome_reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "n"], name="reviews_importrow_n"),
            models.CheckConstraint(
                condition=Q(action__in=["carry", "close", "new", "reopen", "seen"]), name="reviews_importrow_action"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["applied", "kept", "planned", "reverted"]), name="reviews_importrow_outcome"
            ),
            models.CheckConstraint(
                condition=Q(keys__in=["", "adopt", "alias", "link", "refuse"]), name="reviews_importrow_keys"
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.n} of {self.review}"


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

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["review", "n"], name="reviews_actionitem_n")]

    def __str__(self) -> str:
        return self.text


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
