"""What deployments add to the page of a project."""

from __future__ import annotations

from typing import Any, Final

from deployments.models import Environment, Service
from portal.core import access
from portal.core.access import Role, within
from tickets.models import Project
from tickets.panels import Panel, on_projects

SHOWN: Final = 50


def register() -> None:
    on_projects(places_of)


def places_of(project: Project, reader: Any) -> Panel:
    return Panel(
        "deployments/project_panel.html",
        {
            "project": project,
            "services": list(Service.objects.filter(project=project).order_by("name")[:SHOWN]),
            "environments": list(Environment.objects.filter(project=project).order_by("name")[:SHOWN]),
            "owns": access.may(reader, within(Role.OWNER), project.scope),
            "releases": access.may(reader, within(Role.RELEASER), project.scope),
        },
    )
