"""Jobs, workers, schedules and agents in the admin."""

from workers.admin import agents, engine, queues, runs, schedules

__all__ = ["agents", "engine", "queues", "runs", "schedules"]
