"""How Harbour lights ships: its pipeline, two environments, a policy; and what stands there to begin with."""

from __future__ import annotations

import shutil
import socket
import sys
from typing import Final

from django.conf import settings

from deployments import places
from deployments.intake import StepSpec
from deployments.models import Environment, OnFailure
from portal.site.demo import folders, hosting
from portal.site.launching import doors
from reviews.models import Severity
from tickets import git
from tickets.models import Project

SERVICE: Final = "lights"
STAGING: Final = "staging"
PRODUCTION: Final = "production"
HEALTH_SECONDS: Final = 12
VALID_HOURS: Final = 24


def python() -> str:
    """The interpreter as a team writes it; the portal's own where there is none of that name."""
    return "python3" if shutil.which("python3") else sys.executable


def _steps() -> list[StepSpec]:
    """Scripts of the commit itself: a step runs in its files."""

    def script(name: str, *options: str) -> list[str]:
        return [python(), "-I", f"deploy/{name}.py", *options]

    def own(kind: str, name: str, undo: str = "") -> StepSpec:
        command, probe = script(name), script(name, "--probe")
        return StepSpec(kind, name.capitalize(), command, script(name, undo) if undo else [], probe)

    health = "http://127.0.0.1:{PORT}/health"
    return [
        own("command", "build"),
        own("migrate", "migrate", "--undo"),
        own("restart", "restart", "--back"),
        StepSpec("health", "Health", url=health, wall_seconds=HEALTH_SECONDS),
    ]


def add_places(project: Project) -> None:
    """The service, its environments and the policy."""
    places.add_service(project, name=SERVICE, steps=_steps())
    production = _free(settings.DEMO_PRODUCTION_PORT)
    staging = _free(settings.DEMO_STAGING_PORT, but=production)
    # One asks a person when a step fails, the other goes back by itself.
    _add_environment(project, STAGING, place=1, port=staging, on_failure=OnFailure.ASK)
    _add_environment(project, PRODUCTION, place=2, port=production, on_failure=OnFailure.ROLL_BACK)
    places.set_policy(project, severities=[Severity.CRITICAL], valid_hours=VALID_HOURS, expected_number=0)


def _add_environment(project: Project, name: str, *, place: int, port: int, on_failure: str) -> None:
    variables = {
        "PORT": str(port),
        "DEPLOY_FOLDER": str(folders.place(name)),
        "HOST_SOCKET": str(folders.socket()),
    }
    places.add_environment(project, name=name, place=place, on_failure=on_failure, variables=variables)


def _free(wanted: int, but: int = 0) -> int:
    """The port that the settings name, or where it is taken, one that nobody has; never ``but``."""
    try:
        doors.check_free("127.0.0.1", wanted)
    except doors.Refused:
        wanted = but
    if wanted != but:
        return wanted
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        found: int = listener.getsockname()[1]
        return found


def begin(project: Project) -> None:
    """Put the newest commit there by hand, as it was done before there was a door. Raises ``HostFailed``."""
    commit = git.head(folders.repository())
    for environment in Environment.objects.filter(project=project).order_by("place"):
        variables = environment.variables
        folders.place(environment.name).mkdir(mode=0o700, exist_ok=True)
        given = {
            **{name: str(value) for name, value in variables.items()},
            "SHIPROOM_COMMIT": commit,
            "SHIPROOM_ENVIRONMENT": environment.name,
            "SHIPROOM_REPOSITORY": str(folders.repository()),
        }
        hosting.run_script("build.py", given)
        hosting.run_script("migrate.py", given)
        hosting.run(environment.name, commit, variables["DEPLOY_FOLDER"], int(variables["PORT"]))


def addresses(project: Project) -> dict[str, str]:
    """Where the service is looked at, by environment."""
    rows = Environment.objects.filter(project=project).order_by("place", "name")
    return {row.name: f"http://127.0.0.1:{row.variables['PORT']}/" for row in rows if "PORT" in row.variables}
