"""The plan of an import, which is its undoing, too."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from reviews.models.documents import Review
from reviews.models.findings import Finding
from tickets.keys import Keys


class ImportRow(models.Model):
    """One row of the plan: what applying does with one item of the document, and why.

    The same row carries what was done, so that it can be taken back.
    """

    class Action(models.TextChoices):
        NEW = "new", "New"
        SEEN = "seen", "Seen again"
        CLOSE = "close", "Close"
        REOPEN = "reopen", "Open again"
        REGRESS = "regress", "Back again"
        KNOWN = "known", "Rejected already"
        CHOOSE = "choose", "Choose"
        CARRY = "carry", "Carry"

    class Outcome(models.TextChoices):
        PLANNED = "planned", "Planned"
        APPLIED = "applied", "Applied"
        REVERTED = "reverted", "Reverted"
        KEPT = "kept", "Kept"

    class Disposition(models.TextChoices):
        """What a person says of an open finding of which the document does not speak."""

        UNSAID = "", "Not said yet"
        NOT_ASSESSED = "not_assessed", "Not assessed"
        STILL = "still", "Still present"
        FIXED = "fixed", "Fixed"
        REJECTED = "rejected", "Rejected"
        MERGED = "merged", "Merged into another"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="rows", editable=False)
    n = models.PositiveIntegerField(editable=False)
    action = models.CharField(max_length=10, choices=Action, editable=False)
    reason = models.CharField(max_length=300, editable=False)
    identity = models.CharField(max_length=80, editable=False)
    # the item as it was read; empty where the document does not speak of the finding
    item = models.JSONField(editable=False)
    # a person took the row out of the plan: it is not applied
    left_out = models.BooleanField(default=False, editable=False)
    # of a row to choose: ids of the findings that it may be; 0 in ``chosen`` is a new one
    candidates = models.JSONField(default=list, db_default=[], editable=False)
    chosen = models.PositiveBigIntegerField(null=True, editable=False)
    # of a carried row; with why, and for a merge the finding that goes on
    disposition = models.CharField(
        max_length=12, choices=Disposition, blank=True, default="", db_default="", editable=False
    )
    disposition_reason = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)
    merge_into = models.ForeignKey(Finding, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
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
                condition=Q(action__in=["carry", "choose", "close", "known", "new", "regress", "reopen", "seen"]),
                name="reviews_importrow_action",
            ),
            models.CheckConstraint(
                condition=Q(disposition__in=["", "fixed", "merged", "not_assessed", "rejected", "still"]),
                name="reviews_importrow_disposition",
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
