"""Jobs, workers, schedules and agents in the admin."""

from workers.admin import agents, engine, runs

__all__ = ["agents", "engine", "runs"]
