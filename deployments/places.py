"""Services and environments, as the owners of a project make them."""

from __future__ import annotations

from deployments.models import Environment, Service
from portal.core.unit import Pointer, unit_of_work
from tickets.models import Project


def add_service(project: Project, *, name: str, command: list[str]) -> Service:
    """Raises ``IntegrityError`` where the name is taken."""
    with unit_of_work() as work:
        service = Service.objects.create(project=project, name=name, command=command)
        work.record("project.service_added", project.scope, after={"name": name, "command": command})
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return service


def add_environment(project: Project, *, name: str) -> Environment:
    """Raises ``IntegrityError`` where the name is taken."""
    with unit_of_work() as work:
        environment = Environment.objects.create(project=project, name=name)
        work.record("project.environment_added", project.scope, after={"name": name})
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return environment
