"""What a job and an attempt may do. ``claims``, ``ending`` and ``queue`` keep to it in their statements."""

from __future__ import annotations

from portal.core.lifecycle import Machine, transition
from workers.models import JobState, Outcome

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
        transition("refuse", [_O.RUNNING], _O.BAD_INPUT),
        transition("cancel", [_O.RUNNING], _O.CANCELLED),
        transition("release", [_O.RUNNING], _O.RELEASED),
    ],
)
