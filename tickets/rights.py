"""Who holds which role in which project, for every door; who may follow which stream."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from portal.core import access
from portal.core.access import Role, within
from portal.core.models import User
from portal.live import streams
from tickets.models import Membership, Project, Ticket

# the project's key, and the number
KEY: Final = re.compile(r"([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,9})")


def register() -> None:
    access.register_scopes("project", project_roles)
    streams.register("ticket", within(Role.VIEWER), ticket_scope, label="Ticket")
    streams.register("project", within(Role.VIEWER), project_scope, label="Project")


def project_roles(user: Any) -> dict[str, Role]:
    rows = Membership.objects.filter(user_id=user.pk).values_list("project_id", "role")
    return {f"project:{project}": Role(role) for project, role in rows}


def is_key(text: str) -> bool:
    """Whether ``text`` has the form of a ticket's key."""
    return KEY.fullmatch(text) is not None


def ticket_scope(name: str) -> str | None:
    key = name.partition(":")[2]
    if not is_key(key):
        return None
    project = Ticket.objects.filter(key=key).values_list("project_id", flat=True).first()
    return None if project is None else f"project:{project}"


def project_scope(name: str) -> str | None:
    number = row_number(name)
    return f"project:{number}" if number and Project.objects.filter(pk=number).exists() else None


def row_number(name: str) -> int | None:
    """The id in the name of a stream, written as ids are: no sign, no zero in front."""
    digits = name.partition(":")[2]
    if not re.fullmatch(r"[1-9][0-9]{0,18}", digits, re.ASCII):
        return None
    return int(digits) if int(digits) < 2**63 else None


def project_ids(user: Any, role: Role = Role.VIEWER) -> set[int] | None:
    """The projects in which ``user`` holds ``role`` or more; None for an admin, who has all."""
    if access.is_admin(user):
        return None
    scopes = ((scope.partition(":"), held) for scope, held in access.roles(user).items())
    return {int(number) for (scheme, _, number), held in scopes if scheme == "project" and held >= role}


def projects_with(user: Any, role: Role) -> QuerySet[Project]:
    """The projects in which ``user`` holds ``role`` or more, by key."""
    rows, held = Project.objects.order_by("key"), project_ids(user, role)
    return rows if held is None else rows.filter(pk__in=held)


def readers(project: int, among: Iterable[int]) -> set[int]:
    """Those of the people ``among``, by id, who may see the project now."""
    rows = User.objects.filter(pk__in=set(among), is_active=True)
    return set(rows.filter(Q(memberships__project=project) | Q(is_superuser=True)).values_list("pk", flat=True))


def require(user: Any, role: Role, project: Project) -> None:
    """The door of a page whose project is chosen on it: 404 for a stranger, 403 without the role."""
    try:
        access.check(user, within(role), project.scope)
    except access.Hidden:
        raise Http404 from None
    except access.Denied as denied:
        raise PermissionDenied(str(denied)) from None
