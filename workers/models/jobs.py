"""Jobs and attempts. No noun of a domain: subjects are text."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Pool(models.TextChoices):
    TURNS = "turns", "Turns"
    STEPS = "steps", "Deployment steps"
    SHORT = "short", "Short jobs"


class JobState(models.TextChoices):
    """``queued -> running -> succeeded``; back to queued by a retry; dead or cancelled otherwise."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    DEAD = "dead", "Dead"
    CANCELLED = "cancelled", "Cancelled"


LIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
ENDED_STATES = (JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED)


class Outcome(models.TextChoices):
    """How an attempt ended. Each class of failure has its own budget."""

    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed by itself"
    TIMED_OUT = "timed_out", "Timed out"
    LOST = "lost", "Worker lost"
    UNSEEN = "unseen", "Lost before its first heartbeat"
    BAD_INPUT = "bad_input", "Bad input"
    CANCELLED = "cancelled", "Cancelled"
    RELEASED = "released", "Handed back"
    PARKED = "parked", "Parked"
    RATE_LIMITED = "rate_limited", "Rate limited"


class Job(models.Model):
    """A durable unit of work. Its columns are written by ``claims`` and ``queue`` alone."""

    kind = models.CharField(max_length=40, editable=False)
    pool = models.CharField(max_length=10, choices=Pool, editable=False)
    lane = models.CharField(max_length=80, blank=True, editable=False)
    subject = models.CharField(max_length=120, blank=True, editable=False)
    # At most one running job of this subject: a slot row taken in the claim.
    exclusive = models.BooleanField(default=False, editable=False)
    unique_key = models.CharField(max_length=160, blank=True, editable=False)
    # the one machine whose workers may claim it, because what it works on lies there; empty: any
    host = models.CharField(max_length=80, blank=True, editable=False)
    # own errors after which it is dead; 0: JOB_MAX_FAILURES
    max_failures = models.PositiveSmallIntegerField(default=0, editable=False)
    audience = models.CharField(max_length=80, blank=True, editable=False)
    payload = models.JSONField(default=dict, editable=False)
    cause = models.JSONField(default=dict, editable=False)
    state = models.CharField(max_length=20, choices=JobState, default=JobState.QUEUED, editable=False)
    priority = models.SmallIntegerField(default=0, editable=False)
    run_after = models.DateTimeField(db_default=Now(), editable=False)
    fence = models.PositiveIntegerField(default=0, editable=False)
    worker = models.CharField(max_length=120, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    cancel_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(JobState.values)), name="workers_job_state"),
            models.CheckConstraint(
                condition=(Q(state="running", lease_until__isnull=False) & ~Q(worker=""))
                | (~Q(state="running") & Q(lease_until__isnull=True, worker="")),
                name="workers_job_running_iff_leased",
            ),
            models.UniqueConstraint(
                fields=["kind", "unique_key"],
                condition=Q(state__in=["queued", "running"]) & ~Q(unique_key=""),
                name="workers_job_unique_live",
            ),
        ]
        indexes: ClassVar = [
            # due jobs in the order of the claim; see docs/architecture.md, the claim
            models.Index(
                fields=["pool", "priority", "run_after", "id"], condition=Q(state="queued"), name="workers_job_due"
            ),
            # not "WHERE state = 'running'": the finish statement would walk its dead entries
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="workers_job_lease"),
            models.Index(fields=["subject", "-id"], name="workers_job_subject"),
            # without the live states: the claim must not be tempted to read the whole queue through it
            models.Index(
                fields=["state", "-id"],
                condition=Q(state__in=["cancelled", "dead", "succeeded"]),
                name="workers_job_ended_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def name(self) -> str:
        """How history names it."""
        return f"job:{self.pk}"


class Attempt(models.Model):
    """One go at a job, under one fence."""

    # no index of its own: that of (job, fence) serves
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts", db_index=False, editable=False)
    fence = models.PositiveIntegerField(editable=False)
    worker = models.CharField(max_length=120, editable=False)
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.RUNNING, editable=False)
    error = models.TextField(blank=True, editable=False)
    # false once a person requeued the job: the attempt stays, its budget is given back
    counted = models.BooleanField(db_default=True, default=True, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    # what it took: of the worker itself, or of the whole tree of its children; null: not measured
    cpu_ms = models.PositiveIntegerField(null=True, editable=False)
    memory_bytes = models.PositiveBigIntegerField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "fence"], name="workers_attempt_fence"),
            models.CheckConstraint(condition=Q(outcome__in=sorted(Outcome.values)), name="workers_attempt_outcome"),
            models.CheckConstraint(
                condition=Q(outcome="running", ended_at__isnull=True)
                | (~Q(outcome="running") & Q(ended_at__isnull=False)),
                name="workers_attempt_ended_iff",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.fence} of job {self.job_id}"

    @property
    def host(self) -> str:
        """The machine of its worker, whose name tells it."""
        return self.worker.partition("@")[2].partition(":")[0]


class AttemptOutput(models.Model):
    """A piece of what an attempt's child wrote, by its byte offset in the spool."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="output", editable=False)
    offset = models.BigIntegerField(editable=False)
    # bytes of the spool that this piece covers; the text may be longer or shorter than that
    length = models.PositiveIntegerField(editable=False)
    text = models.TextField(editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["attempt", "offset"], name="workers_output_offset")]

    def __str__(self) -> str:
        return f"output of attempt {self.attempt_id} at {self.offset}"
