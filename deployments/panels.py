"""What deployments add to the page of a project."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, Exists, OuterRef

from deployments import verdicts
from deployments.models import Environment, Hold, HoldState, Service
from deployments.queries import bounded
from portal.core import access
from portal.core.access import Role, within
from tickets.models import Project
from tickets.panels import Panel, on_projects

SHOWN: Final = 50


def register() -> None:
    on_projects(places_of)


def places_of(project: Project, reader: Any) -> Panel:
    services = Service.objects.filter(project=project).annotate(steps=Count("pipeline")).order_by("name")
    held = Hold.objects.filter(environment=OuterRef("pk"), state=HoldState.HOLDING)
    environments = Environment.objects.filter(project=project).annotate(held=Exists(held)).order_by("place", "name")
    policy = verdicts.policy_of(project)
    found, places = bounded(services, SHOWN), bounded(environments, SHOWN)
    return Panel(
        "deployments/project_panel.html",
        {
            "project": project,
            "services": found.rows,
            "services_cut": found.cut,
            "environments": places.rows,
            "environments_cut": places.cut,
            "policy": policy,
            "holding": verdicts.in_words(policy),
            "owns": access.may(reader, within(Role.OWNER), project.scope),
            "releases": access.may(reader, within(Role.RELEASER), project.scope),
        },
    )
