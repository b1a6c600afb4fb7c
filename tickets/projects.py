"""Projects as their owners run them: settings, and who belongs to them."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from portal.core.access import Role
from portal.core.lifecycle import Gone, Refused, Stale, plain
from portal.core.models import User
from portal.core.unit import Pointer, UnitOfWork, unit_of_work
from tickets import policy
from tickets.models import Membership, Project


def change(project: Project, *, expected_version: int, by_admin: bool = False, **fields: Any) -> Project:
    """Write what differs of these settings, if the row still is what its owner saw. Raises ``Stale`` or ``Gone``.

    ``fields`` are columns with values that were checked where they were typed. Where the project has a credential,
    its repository is an admin's: raises ``Refused``.
    """
    with unit_of_work() as work:
        stored = Project.objects.filter(pk=project.pk).first()
        if stored is None:
            raise Gone(f"Project {project.key} is not there any more.")
        changed = {name: value for name, value in fields.items() if getattr(stored, name) != value}
        if not changed:
            return project
        # Of the row of that version: a credential that came meanwhile is another version.
        if not by_admin and (problem := policy.moved_problem(stored, changed.get("repository", stored.repository))):
            raise Refused(problem)
        rows = Project.objects.filter(pk=project.pk, version=expected_version)
        if rows.update(version=F("version") + 1, **changed) != 1:
            now = Project.objects.filter(pk=project.pk).values_list("version", flat=True).first()
            raise Stale(f"project:{project.key}", expected_version, now or stored.version)
        project.refresh_from_db(fields=["version", *changed])
        before = {name: plain(getattr(stored, name)) for name in changed}
        after = {name: plain(value) for name, value in changed.items()}
        work.record("project.changed", project.scope, before=before, after=after)
        _announce(work, project)
    return project


def let_in(project: Project, user: User, role: Role) -> Membership:
    """Make ``user`` a member, or give a member another role. Raises ``Refused`` for the last owner."""
    with unit_of_work() as work:
        _lock(project)
        known = Membership.objects.filter(project=project, user=user).first()
        if known and known.role == role:
            return known
        if known:
            _keep_an_owner(project, known, role)
        before = {"role": Role(known.role).label} if known else {}
        membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role.value})
        work.record("project.let_in", project.scope, before=before, after={"user": user.email, "role": role.label})
        _announce(work, project)
    return membership


def take_out(project: Project, user: User) -> None:
    """End a membership. Raises ``Refused`` for the last owner."""
    with unit_of_work() as work:
        _lock(project)
        known = Membership.objects.filter(project=project, user=user).first()
        if known is None:
            return
        _keep_an_owner(project, known, None)
        known.delete()
        work.record("project.took_out", project.scope, before={"user": user.email, "role": Role(known.role).label})
        _announce(work, project)


def _lock(project: Project) -> None:
    """Two owners who remove each other at once must not both succeed."""
    Project.objects.select_for_update().get(pk=project.pk)


def _keep_an_owner(project: Project, leaving: Membership, role: Role | None) -> None:
    if leaving.role != Role.OWNER or role == Role.OWNER:
        return
    others = Membership.objects.filter(project=project, role=Role.OWNER.value).exclude(pk=leaving.pk)
    if not others.exists():
        raise Refused(f"{leaving.user} is the last owner of {project.key}. Make somebody else an owner first.")


def _announce(work: UnitOfWork, project: Project) -> None:
    work.announce(project.scope, Pointer("project", project.scope, project.version))
