"""Jobs, attempts, lanes, schedules, agents. No noun of a domain: subjects are text."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.core.lifecycle import Tracked


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
    BAD_INPUT = "bad_input", "Bad input"
    CANCELLED = "cancelled", "Cancelled"
    RELEASED = "released", "Handed back"
    PARKED = "parked", "Parked"


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


class Lane(models.Model):
    """How many jobs of a lane may run at once."""

    name = models.CharField(max_length=80, primary_key=True)
    slots = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(slots__gte=1), name="workers_lane_slots")]

    def __str__(self) -> str:
        return self.name


class LaneSlot(models.Model):
    """A slot of a lane: locked and filled in the claim, emptied with the attempt's end.

    Limits are rows, not counts: a counting claim broke a limit of one in 161 of 200 races.
    """

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="rows", editable=False)
    n = models.PositiveSmallIntegerField(editable=False)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="lane_slot", editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["lane", "n"], name="workers_laneslot_n")]

    def __str__(self) -> str:
        return f"{self.lane_id} {self.n}"


class SubjectSlot(models.Model):
    """The one slot of a subject: inserted in the claim, deleted with the attempt's end."""

    subject = models.CharField(max_length=120, primary_key=True, editable=False)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="subject_slot", editable=False)

    def __str__(self) -> str:
        return self.subject


class Worker(models.Model):
    """A worker process, as it last said of itself."""

    class State(models.TextChoices):
        ALIVE = "alive", "Alive"
        STOPPED = "stopped", "Stopped"

    name = models.CharField(max_length=120, unique=True, editable=False)
    pool = models.CharField(max_length=10, choices=Pool, editable=False)
    host = models.CharField(max_length=80, editable=False)
    pid = models.PositiveIntegerField(editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.ALIVE, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=["alive", "stopped"]), name="workers_worker_state")
        ]
        indexes: ClassVar = [models.Index(fields=["-seen_at"], name="workers_worker_seen")]

    def __str__(self) -> str:
        return self.name


class Schedule(models.Model):
    """When a kind of job comes due by the clock, and what happens to ticks that were missed."""

    class Missed(models.TextChoices):
        ONCE = "once", "Run once for all missed"
        SKIP = "skip", "Skip them"

    name = models.SlugField(max_length=60, unique=True)
    kind = models.CharField(max_length=40)
    every_seconds = models.PositiveIntegerField()
    payload = models.JSONField(default=dict, blank=True)
    missed = models.CharField(max_length=10, choices=Missed, default=Missed.ONCE)
    enabled = models.BooleanField(default=True)
    next_due_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(every_seconds__gte=1), name="workers_schedule_every")
        ]

    def __str__(self) -> str:
        return self.name


class ScheduleTick(models.Model):
    """One due time of a schedule, taken once, whoever saw it first."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="ticks", editable=False)
    due_at = models.DateTimeField(editable=False)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, editable=False)
    missed = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["schedule", "due_at"], name="workers_tick_once")]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.due_at:%Y-%m-%d %H:%M:%S}"


class Agent(models.Model):
    """A configured coding agent; its profile is the newest of its versions."""

    name = models.SlugField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    concurrency = models.PositiveSmallIntegerField(default=1, help_text="Turns of this agent at once.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(concurrency__gte=1), name="workers_agent_concurrency")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def lane(self) -> str:
        return f"agent:{self.pk}"


class AgentVersion(models.Model):
    """An immutable profile: a change makes the next one, and each turn names the one it ran with."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions", editable=False)
    number = models.PositiveIntegerField(editable=False)
    adapter = models.CharField(max_length=20, editable=False)
    command = models.JSONField(editable=False)
    # the command that goes on with an earlier session, "{session}" in its place; empty where none can
    resume = models.JSONField(default=list, editable=False)
    # names of variables of the worker that the child may see, and references to the secret store
    environment = models.JSONField(default=list, editable=False)
    secrets = models.JSONField(default=dict, editable=False)
    wall_seconds = models.PositiveIntegerField(editable=False)
    silence_seconds = models.PositiveIntegerField(editable=False)
    # kept of each stream of a turn's output
    output_bytes = models.PositiveIntegerField(default=8_388_608, editable=False)
    # failed turns of a ticket, one after the other, after which it is given up
    max_failures = models.PositiveSmallIntegerField(default=3, editable=False)
    # what the turns of one ticket may cost together before no other begins; null: no bound
    budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["agent", "number"], name="workers_agentversion_number"),
            models.CheckConstraint(
                condition=Q(silence_seconds__lte=F("wall_seconds")), name="workers_agentversion_limits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"


class BreakerState(models.TextChoices):
    CLOSED = "closed", "Closed"
    OPEN = "open", "Open"
    HALF_OPEN = "half_open", "Half open"


class Breaker(Tracked):
    """Whether turns of a profile may begin. Open, it parks them: an agent that cannot work fails no ticket."""

    agent_version = models.OneToOneField(AgentVersion, on_delete=models.CASCADE, related_name="breaker", editable=False)
    # failures of the agent itself since its last good turn
    failures = models.PositiveIntegerField(default=0, editable=False)
    # how often it opened since then: each time waits longer
    opened = models.PositiveIntegerField(default=0, editable=False)
    # when open: the next try; when half open: when the try counts as lost
    retry_at = models.DateTimeField(null=True, editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(BreakerState.values)), name="workers_breaker_state"),
            models.CheckConstraint(
                condition=Q(state="closed", retry_at__isnull=True) | (~Q(state="closed") & Q(retry_at__isnull=False)),
                name="workers_breaker_waits_iff_not_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"breaker of {self.agent_version}"


class TrialState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"


class Trial(Tracked):
    """A profile tried on nothing: does it start, does it speak the protocol, does it signal?"""

    agent_version = models.ForeignKey(AgentVersion, on_delete=models.CASCADE, related_name="trials", editable=False)
    attempt = models.OneToOneField(Attempt, on_delete=models.SET_NULL, null=True, related_name="trial", editable=False)
    verdict = models.CharField(max_length=300, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, editable=False)
    session_id = models.CharField(max_length=200, blank=True, editable=False)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=sorted(TrialState.values)), name="workers_trial_state"),
        ]

    def __str__(self) -> str:
        return f"trial {self.pk} of {self.agent_version}"
