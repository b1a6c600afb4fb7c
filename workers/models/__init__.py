"""Jobs, what bounds them, who runs them and when; agents. No noun of a domain."""

from workers.models.agents import (
    Agent,
    AgentVersion,
    Breaker,
    BreakerState,
    Containment,
    Network,
    Trial,
    TrialState,
)
from workers.models.jobs import ENDED_STATES, LIVE_STATES, Attempt, AttemptOutput, Job, JobState, Outcome, Pool
from workers.models.lanes import Lane, LaneSlot, Pause, SubjectSlot
from workers.models.processes import Worker
from workers.models.schedules import Schedule, ScheduleTick

__all__ = [
    "ENDED_STATES",
    "LIVE_STATES",
    "Agent",
    "AgentVersion",
    "Attempt",
    "AttemptOutput",
    "Breaker",
    "BreakerState",
    "Containment",
    "Job",
    "JobState",
    "Lane",
    "LaneSlot",
    "Network",
    "Outcome",
    "Pause",
    "Pool",
    "Schedule",
    "ScheduleTick",
    "SubjectSlot",
    "Trial",
    "TrialState",
    "Worker",
]
