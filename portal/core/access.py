"""Who may do what: declared once per operation, enforced at every door.

A rule names an audience: ``PUBLIC``, ``SIGNED_IN``, ``ADMIN`` (people who
administer this installation), ``OWN`` (the one person whose it is, such as
``user:7``; no admin either), ``TURN`` (the agent of a turn that runs, by its
credential; no person) or ``within(role)``: a role in the scope that the
object lies in, such as ``project:3``. The layer that owns a kind of scope
registers who holds which role there; this layer knows only the words.

Pages, API, sockets and downloads all end in ``check``. A stranger to a scope
is told that there is nothing (``Hidden``), a member without the role which
role it takes (``Forbidden``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser


class Role(enum.IntEnum):
    """Roles in a project; each includes those before it."""

    VIEWER = 10
    OPERATOR = 20
    REVIEWER = 30
    RELEASER = 40
    OWNER = 50

    @property
    def label(self) -> str:
        return self.name.lower()


class Audience(enum.StrEnum):
    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    ADMIN = "admin"
    OWN = "own"
    TURN = "turn"
    SCOPE = "scope"


@dataclass(frozen=True, slots=True)
class Rule:
    audience: Audience
    role: Role | None = None

    def __str__(self) -> str:
        return f"{self.role.label} in its scope" if self.role else self.audience.value


PUBLIC: Final = Rule(Audience.PUBLIC)
SIGNED_IN: Final = Rule(Audience.SIGNED_IN)
ADMIN: Final = Rule(Audience.ADMIN)
OWN: Final = Rule(Audience.OWN)
TURN: Final = Rule(Audience.TURN)


def within(role: Role) -> Rule:
    return Rule(Audience.SCOPE, role)


class Denied(Exception):
    """No; the message says what it takes."""


class SignInFirst(Denied):
    """Nobody is signed in."""


class Hidden(Denied):
    """To this person the object does not exist: answered as a missing one."""


class Forbidden(Denied):
    """The object is known to this person; the role is missing."""


Holder = Callable[[Any], dict[str, Role]]
_holders: dict[str, Holder] = {}


def register_scopes(scheme: str, holder: Holder) -> None:
    """``holder(user)`` answers with ``{"<scheme>:<id>": role}`` for all scopes of that user."""
    _holders[scheme] = holder


def is_scope(name: str) -> bool:
    """Whether ``name`` names a scope in which people hold roles."""
    return name.partition(":")[0] in _holders


def own_scope(user_id: int | str) -> str:
    """The scope of what is one person's alone."""
    return f"user:{user_id}"


def is_admin(user: Any) -> bool:
    return bool(user.is_active and user.is_superuser)


def roles(user: Any) -> dict[str, Role]:
    """The scopes that ``user`` is a member of, each with the role; one query per scheme, kept on the user."""
    if isinstance(user, AnonymousUser) or not user.is_active:
        return {}
    kept: dict[str, Role] | None = getattr(user, "_shiproom_roles", None)
    if kept is None:
        kept = {scope: role for holder in _holders.values() for scope, role in holder(user).items()}
        remember(user, kept)
    return kept


def remember(user: Any, held: dict[str, Role]) -> None:
    """Have ``roles`` say ``held`` of this object, and ask nobody."""
    user._shiproom_roles = held


def role_in(user: Any, scope: str) -> Role | None:
    """The role of ``user`` in ``scope``. An admin is an owner everywhere: they could make themselves one."""
    if is_admin(user):
        return Role.OWNER
    return roles(user).get(scope)


def may(user: Any, rule: Rule, scope: str = "") -> bool:
    try:
        check(user, rule, scope)
    except Denied:
        return False
    return True


def check(user: Any, rule: Rule, scope: str = "") -> None:
    """Raise a ``Denied`` unless ``user`` satisfies ``rule`` in ``scope``."""
    if rule.audience is Audience.PUBLIC:
        return
    if isinstance(user, AnonymousUser) or not user.is_active:
        raise SignInFirst("Sign in first.")
    if rule.audience is Audience.TURN:
        raise Hidden("There is nothing here for you.")
    if rule.audience is Audience.OWN:
        if scope != own_scope(user.pk):
            raise Hidden("There is nothing here for you.")
        return
    if rule.audience is Audience.SIGNED_IN or is_admin(user):
        return
    if rule.audience is Audience.ADMIN:
        raise Forbidden("Only people who administer this installation may do this.")
    held = role_in(user, scope)
    if held is None:
        raise Hidden("There is nothing here for you.")
    if rule.role is not None and held < rule.role:
        needed = f"It takes the role {rule.role.label} in this project; yours is {held.label}."
        raise Forbidden(f"{needed} An owner can give it to you.")


# The registry of operations -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done through a door: its name, the door, its rule."""

    name: str
    door: str
    rule: Rule


_operations: dict[str, Operation] = {}


def declare(name: str, door: str, rule: Rule) -> Operation:
    """Register an operation. Raises ``ValueError`` where the name is taken by another rule."""
    made = Operation(name, door, rule)
    if _operations.setdefault(name, made) != made:
        raise ValueError(f"{name} is declared twice, differently.")
    return made


def operations() -> list[Operation]:
    return sorted(_operations.values(), key=lambda operation: (operation.door, operation.name))
