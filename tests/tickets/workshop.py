"""A project with a real git repository, and agents that do what a test lists; turns run in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.tickets import build
from tickets import work
from tickets.models import Project, Ticket, Turn
from workers.models import Agent, AgentVersion, Job

SCRIPT = Path(__file__).with_name("scripted_agent.py")
IDENTITY = ("-c", "user.name=Team", "-c", "user.email=team@example.org")
Steps = list[list[Any]]
GOOD: Steps = [
    ["write", "src/door.txt", "oiled\n"],
    ["commit", "Oil the door"],
    ["signal", "DONE", "The door is oiled."],
]


class Workshop:
    """``turn(ticket, steps)`` assigns an agent that does the steps and runs what is due until nothing is."""

    def __init__(self, project: Project, folder: Path, **policy: Any) -> None:
        self.repository = folder / "repository"
        self.git("init", "-q", "-b", "main", str(self.repository), at=folder)
        self.git(*IDENTITY, "commit", "-q", "--allow-empty", "-m", "Begin")
        policy = {"checks": [], "allowed_paths": [], "merge_strategy": "merge", "second_agent": False, **policy}
        Project.objects.filter(pk=project.pk).update(repository=str(self.repository), **policy)
        project.refresh_from_db()
        self.project = project

    def git(self, *arguments: str, at: Path | None = None) -> str:
        argv = ["git", "-C", str(at or self.repository), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, path: str, text: str, message: str = "By the team") -> str:
        """Somebody else works in the repository."""
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "-A")
        self.git(*IDENTITY, "commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def agent(self, steps: Steps, name: str = "mender", **profile: Any) -> Agent:
        """The agent of that name, whose newest profile does the steps."""
        agent, _ = Agent.objects.get_or_create(name=name)
        profile = {"adapter": "plain", "trusted": True, "wall_seconds": 30, "silence_seconds": 30, **profile}
        number = AgentVersion.objects.filter(agent=agent).count() + 1
        command = [sys.executable, "-I", str(SCRIPT), json.dumps(steps)]
        AgentVersion.objects.create(agent=agent, number=number, **{"command": command, **profile})
        return agent

    def ticket(self, title: str = "Oil the door") -> Ticket:
        return work.create_ticket(self.project, title=title, body="It squeaks.")

    def turn(self, ticket: Ticket, steps: Steps, name: str = "mender", **profile: Any) -> Turn:
        """The newest turn of the ticket after the agent has done its steps; ``ticket`` is as it is then."""
        agent = self.agent(steps, name, **profile)
        ticket.refresh_from_db()
        work.assign(ticket, agent)
        self.drain()
        ticket.refresh_from_db()
        return newest(ticket)

    def drain(self, pool: str = "turns") -> int:
        """Run what is due, as a worker of the pool does; returns how many jobs it ran."""
        from workers.draining import Drain
        from workers.leases import LeaseKeeper

        name = f"{pool}@test"
        return Drain(pool, name, LeaseKeeper(name), lambda: False).run()

    def make_due(self) -> None:
        """What waits for another try waits no longer."""
        Job.objects.filter(state="queued").update(run_after="2000-01-01T00:00:00Z")


def newest(ticket: Ticket) -> Turn:
    rows = Turn.objects.filter(ticket=ticket).select_related("measurement", "agent_version__agent", "attempt")
    return rows.order_by("-seq")[0]


__all__ = ["GOOD", "Workshop", "build", "newest"]
