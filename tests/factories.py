"""A small named world, and plain functions that make one thing each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.core.access import Role
from portal.core.models import User
from tickets.models import Membership, Project, ProjectCounter

PASSWORD = "correct horse battery"


def person(email: str, **fields: Any) -> User:
    """Somebody who can sign in with ``PASSWORD``."""
    return User.objects.create_user(email, PASSWORD, **fields)


def project(key: str = "MC", name: str = "Mission control") -> Project:
    made = Project.objects.create(key=key, name=name)
    ProjectCounter.objects.create(project=made)
    return made


def member(of: Project, user: User, role: Role) -> Membership:
    return Membership.objects.create(project=of, user=user, role=role.value)


@dataclass(frozen=True, slots=True)
class World:
    """Project MC, and one person of each kind. The outsider belongs to nothing."""

    admin: User
    owner: User
    releaser: User
    reviewer: User
    operator: User
    viewer: User
    outsider: User
    mc: Project


def world() -> World:
    mc = project()
    people = {
        name: person(f"{name}@example.org", name=name.capitalize())
        for name in ("owner", "releaser", "reviewer", "operator", "viewer", "outsider")
    }
    for role in Role:
        member(mc, people[role.name.lower()], role)
    admin = User.objects.create_superuser("admin@example.org", PASSWORD, name="Admin")
    return World(admin=admin, mc=mc, **people)
