"""An agent's turn, and what the portal itself saw of its work."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked
from tickets.models.tickets import Ticket
from workers.models import AgentVersion, Attempt


class Purpose(models.TextChoices):
    WORK = "work", "Work"
    REVIEW = "review", "Review"


class TurnState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    NEEDS_INPUT = "needs_input", "Needs input"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class Turn(Tracked):
    """One attempt of one agent at one ticket. A retry is a new turn with a new nonce."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="turns", editable=False)
    seq = models.PositiveIntegerField(editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="turn", editable=False)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, editable=False)
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.WORK, editable=False)
    nonce = models.CharField(max_length=64, editable=False)
    # SHA-256 of what opens the portal to its agent while it runs; see ``credentials``
    credential = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # the version of the program that ran, as it names it
    program = models.CharField(max_length=120, blank=True, default="", db_default="", editable=False)
    # what its agent said by a tool: the signal, once, and its payload; and where it stands, replaced by the next
    signal = models.CharField(max_length=20, blank=True, default="", db_default="", editable=False)
    signal_payload = models.JSONField(null=True, editable=False)
    signal_at = models.DateTimeField(null=True, editable=False)
    progress = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)
    progress_at = models.DateTimeField(null=True, editable=False)
    # the agent's own session, as it names it; resumed: this turn went on with an earlier one
    session_id = models.CharField(max_length=200, blank=True, editable=False)
    resumed = models.BooleanField(default=False, editable=False)
    payload = models.TextField(blank=True, editable=False)
    verdict = models.CharField(max_length=300, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    base_commit = models.CharField(max_length=64, blank=True, editable=False)
    head_commit = models.CharField(max_length=64, blank=True, editable=False)
    # of this turn alone; null where the agent does not tell
    input_tokens = models.BigIntegerField(null=True, editable=False)
    output_tokens = models.BigIntegerField(null=True, editable=False)
    cached_tokens = models.BigIntegerField(null=True, editable=False)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, editable=False)
    # the session's own running figures, of which the next turn's are the difference
    session_usage = models.JSONField(default=dict, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket", "seq"], name="tickets_turn_seq"),
            models.UniqueConstraint(fields=["ticket"], condition=Q(state="running"), name="tickets_turn_one_live"),
            models.CheckConstraint(condition=Q(state__in=sorted(TurnState.values)), name="tickets_turn_state"),
            models.CheckConstraint(condition=Q(purpose__in=sorted(Purpose.values)), name="tickets_turn_purpose"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["credential"], condition=~Q(credential=""), name="tickets_turn_credential"),
        ]

    def __str__(self) -> str:
        return f"turn {self.seq} of {self.ticket}"

    @property
    def proven(self) -> bool:
        """What it claims was measured and holds; a claim alone proves nothing."""
        found: Measurement | None = getattr(self, "measurement", None)
        return self.state == TurnState.DONE and found is not None and found.proven


class Measurement(models.Model):
    """What the portal itself saw of the work when a turn said that it is done."""

    turn = models.OneToOneField(Turn, on_delete=models.CASCADE, related_name="measurement", editable=False)
    proven = models.BooleanField(editable=False)
    # a sentence for each thing that does not hold
    reasons = models.JSONField(default=list, editable=False)
    # new commits of this turn, newest first, bounded: [{"commit", "subject"}]
    commits = models.JSONField(default=list, editable=False)
    commit_count = models.PositiveIntegerField(default=0, editable=False)
    # the whole branch against the target: where it left it, how much it changes
    target_commit = models.CharField(max_length=64, blank=True, editable=False)
    fork_commit = models.CharField(max_length=64, blank=True, editable=False)
    files_changed = models.PositiveIntegerField(default=0, editable=False)
    insertions = models.PositiveIntegerField(default=0, editable=False)
    deletions = models.PositiveIntegerField(default=0, editable=False)
    diff = models.TextField(blank=True, editable=False)
    # characters of the diff that are not kept
    diff_cut = models.PositiveIntegerField(default=0, editable=False)
    # bounded lists of paths, and how many there are
    outside = models.JSONField(default=list, editable=False)
    outside_count = models.PositiveIntegerField(default=0, editable=False)
    uncommitted = models.JSONField(default=list, editable=False)
    uncommitted_count = models.PositiveIntegerField(default=0, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"measurement of {self.turn}"


class CheckRun(models.Model):
    """One of the project's checks, run by the portal itself during an attempt: of a turn, or of a merge."""

    class Outcome(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        NO_TESTS = "no_tests", "No tests"
        TIMED_OUT = "timed_out", "Timed out"
        NOT_STARTED = "not_started", "Not started"

    # no index of its own: that of (attempt, n) serves
    attempt = models.ForeignKey(
        Attempt, on_delete=models.CASCADE, related_name="checks", db_index=False, editable=False
    )
    n = models.PositiveSmallIntegerField(editable=False)
    command = models.JSONField(editable=False)
    outcome = models.CharField(max_length=12, choices=Outcome, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    seconds = models.FloatField(editable=False)
    # one line, such as "41 passed"; and the end of what it wrote
    summary = models.CharField(max_length=300, blank=True, editable=False)
    output = models.TextField(blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["attempt", "n"], name="tickets_checkrun_n"),
            models.CheckConstraint(
                condition=Q(outcome__in=["failed", "no_tests", "not_started", "passed", "timed_out"]),
                name="tickets_checkrun_outcome",
            ),
        ]

    def __str__(self) -> str:
        return " ".join(self.command)
