"""Shiproom as a service of its own: this very code, two web processes behind the demo's proxy, the same database.

A project with the repository that this code was checked out from, and a
pipeline that brings a commit of it beside the one that runs: backup, schema,
one process after the other, and health, which has to report the commit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deployments import places
from deployments.intake import StepSpec
from deployments.models import Environment, OnFailure
from portal.core import cause, revision
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from portal.site.demo import folders, loading, shipping
from portal.site.demo.place import free_port
from tickets import git, projects
from tickets.models import Project
from tickets.work import create_project

KEY: Final = "ROOM"
NAME: Final = "Shiproom itself (demo)"
SERVICE: Final = "shiproom"
PLACE: Final = "here"
READY_SECONDS: Final = 60
_SCRIPTS: Final = "portal/site/demo"


def load(repository: Path = revision.FOLDER) -> tuple[Project, bool]:
    """``(project, made)``; made once. Raises ``Refused`` where something stands in its way."""
    known = loading.find(KEY)
    if known is not None:
        return known, False
    owner, branch = loading.owner_of(KEY), _branch(repository)
    with cause.acting(loading.ACTOR), unit_of_work() as work:
        project = create_project(key=KEY, name=NAME, repository=str(repository), owner=owner)
        projects.change(project, expected_version=project.version, target_branch=branch)
        places.add_service(project, name=SERVICE, steps=steps())
        places.add_environment(
            project, name=PLACE, place=1, on_failure=OnFailure.ROLL_BACK, variables=variables(free_port())
        )
        work.record(loading.LOADED, project.scope, after={"agents": []}, scope=project.scope)
    folders.place(KEY).mkdir(mode=0o700, parents=True, exist_ok=True)
    return project, True


def _branch(repository: Path) -> str:
    """The one that is checked out. Raises ``Refused``."""
    try:
        return git.git(repository, "symbolic-ref", "--short", "HEAD").strip()
    except git.GitFailed:
        raise Refused(f"{repository} is no checkout of git with a branch: there is nothing to deploy from.") from None


def steps() -> list[StepSpec]:
    """Scripts of the commit itself; what needs the installation's settings is run by the host, which has them."""
    build = [shipping.python(), "-I", f"{_SCRIPTS}/repository/deploy/build.py"]

    def host(*words: str) -> list[str]:
        return [shipping.python(), "-I", f"{_SCRIPTS}/host_step.py", *words]

    return [
        StepSpec("command", "Build", build, probe=[*build, "--probe"]),
        # Of the code that comes: what it says of itself can be restored by it.
        StepSpec("command", "Backup", host("once", "backup"), again=False),
        StepSpec("migrate", "Migrate", host("once", "prepare")),
        StepSpec("restart", "Restart", host("run"), host("back"), host("probe")),
        StepSpec("health", "Health", url="http://127.0.0.1:{PORT}/readyz", wall_seconds=READY_SECONDS),
    ]


def variables(port: int) -> dict[str, str]:
    return {
        "PORT": str(port),
        "DEPLOY_FOLDER": str(folders.place(KEY)),
        "HOST_SOCKET": str(folders.socket()),
        "RUNS": "portal",
    }


def variables_of(project: Project) -> dict[str, str]:
    """As they are now; empty where its owners took the environment away."""
    row = Environment.objects.filter(project=project, name=PLACE).first()
    return row.variables if row else {}


def address(project: Project) -> str:
    """Where it is looked at; empty where that was changed."""
    port = variables_of(project).get("PORT")
    return f"http://localhost:{port}/" if port else ""


def has_host() -> bool:
    """Whether the host is there: it starts with ``up``, where the demo was loaded before."""
    return folders.socket().exists()
