"""What the soak works in: a project with a repository, people with tokens, an agent, a service, a clock."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from portal.core import tokens
from tests import factories
from tests.deployments import build
from tests.deployments.shipyard import Reporter
from tests.soak import agent
from tickets.models import Project
from workers import queue
from workers.models import Agent, AgentVersion, Schedule

AGENT = "soaker"
LANE = "soak"
IDENTITY = ("-c", "user.name=Team", "-c", "user.email=team@example.org")
# What a step does outside, once for each SHIPROOM_STEP; the probe tells whether it is done.
STEP = (
    "import os,sys;sys.path.insert(0,sys.argv[1]);"
    "from tests.soak.history import History;from pathlib import Path;"
    "h=History(Path(sys.argv[2]),'step');k=os.environ['SHIPROOM_STEP'];"
    "sys.exit(not h.has('step',k)) if sys.argv[3]=='probe' else h.write('step',key=k)"
)
RESTART = "import os,sys;open(sys.argv[1],'w').write(os.environ['SHIPROOM_COMMIT'])"
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Setting:
    """``operator`` and ``releaser`` are texts of API tokens."""

    project: Project
    repository: Path
    operator: str
    reviewer: str
    releaser: str
    email: str
    service: str
    environment: str


def make(folder: Path, history: Path, reporter: Reporter | None, *, long_percent: int = 0) -> Setting:
    """On an empty database that is migrated.

    Without a reporter nothing is deployed that could be asked for health. So many turns are longer than a lease.
    """
    world = factories.world()
    repository = folder / "repository"
    _git("init", "-q", "-b", "main", str(repository), at=folder)
    _git(*IDENTITY, "commit", "-q", "--allow-empty", "-m", "Begin", at=repository)
    policy = {"checks": [], "allowed_paths": [], "merge_strategy": "merge", "second_agent": False}
    Project.objects.filter(pk=world.mc.pk).update(repository=str(repository), **policy)
    world.mc.refresh_from_db()
    _agent(history, long_percent)
    queue.set_lane(LANE, 2)
    Schedule.objects.create(name="soak", kind="soak.short", every_seconds=2, missed=Schedule.Missed.ONCE)
    service = _service(world.mc, folder, history, reporter)
    place = build.environment(world.mc, "live", variables={"PORT": str(reporter.port)} if reporter else {})
    texts = {
        name: tokens.issue(getattr(world, name), name="soak", days=1, may_write=True)[1]
        for name in ("operator", "reviewer", "releaser")
    }
    return Setting(world.mc, repository, email=world.operator.email, service=service, environment=place.name, **texts)


def _agent(history: Path, long_percent: int) -> None:
    made = Agent.objects.create(name=AGENT, concurrency=2)
    AgentVersion.objects.create(
        agent=made,
        number=1,
        adapter="plain",
        trusted=True,
        command=[sys.executable, "-I", str(Path(agent.__file__)), str(history), str(long_percent)],
        wall_seconds=60,
        silence_seconds=60,
        # It is killed again and again through no fault of its own.
        max_failures=100,
    )


def _service(project: Project, folder: Path, history: Path, reporter: Reporter | None) -> str:
    def command(what: str) -> list[str]:
        return [sys.executable, "-I", "-c", STEP, str(ROOT), str(history), what]

    made = build.service(project, "web", name="Build", command=command("do"), probe=command("probe"))
    if reporter is not None:
        restart = [sys.executable, "-I", "-c", RESTART, str(reporter.file)]
        # Any number of starts is as good as one.
        build.add_step(made, "restart", "Restart", command=restart, probe=["false"])
        build.add_step(made, "health", "Health", url="http://127.0.0.1:{PORT}/health", wall_seconds=60)
    return str(made.name)


def _git(*arguments: str, at: Path) -> None:
    subprocess.run(["git", "-C", str(at), *arguments], check=True, capture_output=True)
