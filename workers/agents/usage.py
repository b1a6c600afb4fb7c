"""What a run cost, once: out of figures that count the run, or all of the session so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workers.agents.adapters.events import Scope, Usage


@dataclass(frozen=True)
class Spent:
    """Tokens as the agent counts them, and US dollars."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cost: float = 0.0


class Meter:
    """Adds up the usage of one run. `before` is the `session` of the run that it resumes, retries or forks.

    A session's figure holds what was booked before, so the difference counts. A figure below that began again
    from nothing, and counts whole; a failed start says 0, which is no news.
    """

    def __init__(self, before: Spent | None = None) -> None:
        self.spent = Spent()
        self.session = before or Spent()

    def add(self, usage: Usage) -> None:
        """Book one usage event."""
        for name in ("input", "output", "cached", "cost"):
            said = getattr(usage, name)
            if not said:
                continue
            known = getattr(self.session, name) if usage.scope is Scope.SESSION else 0
            more = said - known if said >= known else said
            self.spent = replace(self.spent, **{name: round(getattr(self.spent, name) + more, 12)})
            if usage.scope is Scope.SESSION:
                self.session = replace(self.session, **{name: said})
