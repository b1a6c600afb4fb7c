"""The demo's agents: made as the admin makes one, and taken again where an earlier removal left one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from workers import queue
from workers.models import Agent, AgentVersion

OWN: Final = Path(__file__).with_name("agents")
EXAMPLES: Final = Path(__file__).resolve().parents[3] / "workers" / "agents" / "examples"
WALL_SECONDS: Final = 300
MAX_FAILURES: Final = 2


class Profile(NamedTuple):
    """``program`` is what the agent runs; its own words say what it does."""

    name: str
    program: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-I", str(self.program)]


PROFILES: Final = (
    Profile("demo-mender", OWN / "mending_agent.py"),
    Profile("demo-asker", OWN / "asking_agent.py"),
    Profile("demo-reader", EXAMPLES / "approving_agent.py"),
    Profile("demo-boaster", EXAMPLES / "idle_agent.py"),
)


def make() -> list[Agent]:
    """The agents, in the order of ``PROFILES``. Raises ``Refused`` where a name is somebody else's."""
    return [_make(profile) for profile in PROFILES]


def _make(profile: Profile) -> Agent:
    known = Agent.objects.filter(name=profile.name).first()
    if known is not None:
        return _again(known, profile)
    with unit_of_work() as work:
        agent = Agent.objects.create(name=profile.name)
        queue.set_lane(agent.lane, agent.concurrency)
        AgentVersion.objects.create(
            agent=agent,
            number=1,
            adapter="plain",
            trusted=True,
            command=profile.command,
            environment=["PATH", "LANG"],
            wall_seconds=WALL_SECONDS,
            silence_seconds=WALL_SECONDS,
            max_failures=MAX_FAILURES,
        )
        work.record("agent.created", f"agent:{agent.pk}", after={"name": agent.name, "command": profile.command})
    return agent


def _again(agent: Agent, profile: Profile) -> Agent:
    """One that an earlier removal left, because others had used it."""
    newest = agent.versions.order_by("-number").first()
    if newest is None or newest.command != profile.command:
        raise Refused(f"There is an agent {profile.name} that is not the demo's. Give it another name first.")
    with unit_of_work() as work:
        if Agent.objects.filter(pk=agent.pk, enabled=False).update(enabled=True):
            work.record("agent.switched_on", f"agent:{agent.pk}")
    return agent
