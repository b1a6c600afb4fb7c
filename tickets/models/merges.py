"""Accepted work on its way into the target branch."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.forges import proposal_url
from tickets.models.projects import MergeStrategy
from tickets.models.tickets import Ticket
from tickets.models.turns import Turn
from workers.models import Attempt


class MergeState(models.TextChoices):
    QUEUED = "queued", "Queued"
    MERGED = "merged", "Merged"
    SENT_BACK = "sent_back", "Sent back"
    FAILED = "failed", "Failed"


class Merge(Tracked):
    """An accepted commit on its way into the target branch, in the portal's own clone."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="merges", editable=False)
    turn = models.ForeignKey(Turn, on_delete=models.PROTECT, related_name="merges", editable=False)
    # the newest attempt at it: its checks hang there
    attempt = models.ForeignKey(Attempt, on_delete=models.SET_NULL, null=True, related_name="merges", editable=False)
    commit = models.CharField(max_length=64, editable=False)
    strategy = models.CharField(max_length=10, choices=MergeStrategy, editable=False)
    target_branch = models.CharField(max_length=200, blank=True, editable=False)
    # under which the commit stands in the repository, for somebody there to merge it
    pushed_branch = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # the target before, and the commit of the target that holds the work now
    target_commit = models.CharField(max_length=64, blank=True, editable=False)
    merged_commit = models.CharField(max_length=64, blank=True, editable=False)
    # it was in the target already, as itself or as an equal patch
    recognised = models.BooleanField(default=False, editable=False)
    # why it came back
    detail = models.TextField(blank=True, editable=False)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="merges", editable=False
    )
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket"], condition=Q(state="queued"), name="tickets_merge_one_live"),
            models.CheckConstraint(condition=Q(state__in=sorted(MergeState.values)), name="tickets_merge_state"),
            models.CheckConstraint(
                condition=Q(state="merged") & ~Q(merged_commit="") | ~Q(state="merged") & Q(merged_commit=""),
                name="tickets_merge_names_its_commit",
            ),
        ]

    def __str__(self) -> str:
        return f"merge of {self.ticket}"

    @property
    def proposal_url(self) -> str:
        """Where its pushed branch becomes a pull request; empty where that is not known."""
        return proposal_url(self.ticket.project.repository, branch=self.pushed_branch, target=self.target_branch)
