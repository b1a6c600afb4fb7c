"""What a job and an attempt may do. ``claims``, ``ending`` and ``queue`` keep to it in their statements."""

from __future__ import annotations

from portal.core.lifecycle import Lifecycle, Machine, transition
from workers.models import Breaker, BreakerState, JobState, Outcome, Trial, TrialState

_J, _O = JobState, Outcome
JOB = Machine(
    "job",
    JobState,
    [
        transition("claim", [_J.QUEUED], _J.RUNNING),
        transition("succeed", [_J.RUNNING], _J.SUCCEEDED),
        transition("retry", [_J.RUNNING], _J.QUEUED),
        transition("give_up", [_J.RUNNING], _J.DEAD),
        transition("cancel", [_J.QUEUED, _J.RUNNING], _J.CANCELLED, "Cancel"),
        transition("requeue", [_J.DEAD, _J.CANCELLED], _J.QUEUED, "Requeue"),
    ],
)
ATTEMPT = Machine(
    "attempt",
    Outcome,
    [
        transition("succeed", [_O.RUNNING], _O.SUCCEEDED),
        transition("fail", [_O.RUNNING], _O.FAILED),
        transition("time_out", [_O.RUNNING], _O.TIMED_OUT),
        transition("lose", [_O.RUNNING], _O.LOST),
        transition("miss", [_O.RUNNING], _O.UNSEEN),
        transition("refuse", [_O.RUNNING], _O.BAD_INPUT),
        transition("cancel", [_O.RUNNING], _O.CANCELLED),
        transition("release", [_O.RUNNING], _O.RELEASED),
        transition("park", [_O.RUNNING], _O.PARKED),
        transition("limit", [_O.RUNNING], _O.RATE_LIMITED),
    ],
)

_B = BreakerState
BREAKER: Lifecycle[Breaker] = Lifecycle(
    "breaker",
    BreakerState,
    [
        transition("open", [_B.CLOSED, _B.HALF_OPEN], _B.OPEN),
        transition("try", [_B.OPEN, _B.HALF_OPEN], _B.HALF_OPEN),
        transition("close", [_B.HALF_OPEN, _B.OPEN], _B.CLOSED, "Close"),
    ],
    subject=lambda breaker: f"agent:{breaker.agent_version.agent.name}",
)

_R = TrialState
TRIAL: Lifecycle[Trial] = Lifecycle(
    "trial",
    TrialState,
    [
        transition("begin", [_R.QUEUED], _R.RUNNING),
        transition("wait_again", [_R.RUNNING, _R.QUEUED], _R.QUEUED),
        transition("pass", [_R.RUNNING], _R.PASSED),
        transition("fail", [_R.QUEUED, _R.RUNNING], _R.FAILED),
    ],
    subject=lambda trial: f"agent:{trial.agent_version.agent.name}",
)
