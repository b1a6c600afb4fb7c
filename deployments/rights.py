"""Who may follow which stream of this app."""

from __future__ import annotations

from deployments.models import Deployment
from portal.core.access import Role, within
from portal.live import streams
from tickets.rights import row_number


def register() -> None:
    streams.register("deployment", within(Role.VIEWER), deployment_scope, label="Deployment")


def deployment_scope(name: str) -> str | None:
    number = row_number(name)
    if number is None:
        return None
    project = Deployment.objects.filter(pk=number).values_list("service__project_id", flat=True).first()
    return None if project is None else f"project:{project}"
