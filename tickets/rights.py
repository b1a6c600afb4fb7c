"""Who holds which role in which project, for every door."""

from __future__ import annotations

from typing import Any

from portal.core import access
from portal.core.access import Role
from tickets.models import Membership


def register() -> None:
    access.register_scopes("project", project_roles)


def project_roles(user: Any) -> dict[str, Role]:
    rows = Membership.objects.filter(user_id=user.pk).values_list("project_id", "role")
    return {f"project:{project}": Role(role) for project, role in rows}
