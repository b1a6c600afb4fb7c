"""Several reviewers on one commit: who was asked, what they handed in, how they vote, and what comes of it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from reviews.models.documents import Review, Series
from tickets.models import Ticket
from workers.models import Agent


class CouncilState(models.TextChoices):
    LOOKING = "looking", "Looks the commit up"
    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"
    VOID = "void", "Void"
    FAILED = "failed", "Failed"


class Ballot(models.TextChoices):
    SHIP = "ship", "Ship"
    SHIP_AFTER = "ship_after", "Ship after"
    DO_NOT_SHIP = "do_not_ship", "Do not ship"


class Council(Tracked):
    """Reviewers who look at one commit; its outcome is of that commit and no other."""

    class About(models.TextChoices):
        DIFF = "diff", "A diff"
        BRANCH = "branch", "A branch, tag or commit"
        TICKET = "ticket", "The work of a ticket"
        DEPLOYMENT = "deployment", "A deployment"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="councils", editable=False)
    about = models.CharField(max_length=12, choices=About, editable=False)
    # as it was asked for: a name of the repository, a ticket's key, a deployment's number; and from where
    asked = models.CharField(max_length=200, editable=False)
    asked_from = models.CharField(max_length=200, blank=True, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    # whole names, once they were looked up
    commit = models.CharField(max_length=64, blank=True, editable=False)
    base = models.CharField(max_length=64, blank=True, editable=False)
    title = models.CharField(max_length=200, blank=True, editable=False)
    instructions = models.TextField(blank=True, editable=False)
    # votes that it takes; 0: of every member that may vote
    quorum = models.PositiveSmallIntegerField(default=0, editable=False)
    deadline = models.DateTimeField(null=True, editable=False)
    # whether the documents of its members are imported as they arrive
    imports = models.BooleanField(default=False, editable=False)
    # who made the commit: [{"agent": id, "person": id, "why": "..."}]
    authors = models.JSONField(default=list, editable=False)
    outcome = models.CharField(max_length=12, choices=Ballot, blank=True, editable=False)
    # how the outcome came about, or why there is none
    detail = models.CharField(max_length=500, blank=True, editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    # who it was, for readers after the account is gone
    asked_label = models.CharField(max_length=254, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(CouncilState.values)), name="reviews_council_state"),
            models.CheckConstraint(
                condition=Q(about__in=["branch", "deployment", "diff", "ticket"]), name="reviews_council_about"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", *sorted(Ballot.values)]), name="reviews_council_outcome"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["failed", "looking", "void"]) | ~Q(commit=""), name="reviews_council_of_a_commit"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["commit", "-id"], name="reviews_council_of_commit")]

    def __str__(self) -> str:
        return f"council {self.pk}"

    @property
    def subject(self) -> str:
        return f"council:{self.pk}"

    def get_state_display(self) -> str:
        return str(CouncilState(self.state).label)

    def get_absolute_url(self) -> str:
        return f"/reviews/councils/{self.pk}/"


class MemberState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    ANSWERED = "answered", "Answered"
    FAILED = "failed", "Failed"
    REFUSED = "refused", "Refused"


class Member(Tracked):
    """A person or an agent in a council: what it was asked, and what it handed in."""

    council = models.ForeignKey(Council, on_delete=models.CASCADE, related_name="members", editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    # who it is, for readers after the account is gone
    label = models.CharField(max_length=254, editable=False)
    # the ticket on which its agent reads, the newest where it was asked again
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    review = models.ForeignKey(Review, on_delete=models.SET_NULL, null=True, related_name="members", editable=False)
    # why there is no answer, or none that counts
    problem = models.CharField(max_length=500, blank=True, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["council", "agent"], name="reviews_member_agent_once"),
            models.UniqueConstraint(fields=["council", "user"], name="reviews_member_user_once"),
            models.CheckConstraint(condition=Q(state__in=sorted(MemberState.values)), name="reviews_member_state"),
            models.CheckConstraint(condition=Q(agent=None) | Q(user=None), name="reviews_member_is_one"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def subject(self) -> str:
        return f"member:{self.pk}"

    def get_state_display(self) -> str:
        return str(MemberState(self.state).label)


class Vote(models.Model):
    """What a member says of the commit, and why. The newest of a member counts; earlier ones are kept."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="votes", editable=False)
    ballot = models.CharField(max_length=12, choices=Ballot, editable=False)
    reason = models.CharField(max_length=2000, editable=False)
    # the document whose verdict it is, where it was read there
    review = models.ForeignKey(Review, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ballot__in=sorted(Ballot.values)), name="reviews_vote_ballot"),
            models.CheckConstraint(condition=~Q(reason=""), name="reviews_vote_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.member}: {self.get_ballot_display()}"
