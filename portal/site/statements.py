"""A statement that is built once for each kind of reader, and asked with each reader's own values.

Building a large query out of querysets costs hundreds of times what asking
it does. What the querysets say of a reader is who it is and in which scopes
it has which role: readers with the same roles have the same statement, with
other numbers in it. It is built for a stand-in, whose numbers nobody has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from portal.core import access
from portal.core.access import Role, own_scope
from portal.core.models import User

# Above any id that is given, and within what a column of ids holds.
_NOBODY: Final = 9_100_000_000_000_000_000
_MOST_KINDS: Final = 256

# Whether it is an admin; the scheme and the role of each scope.
_Kind = tuple[bool, tuple[tuple[str, Role], ...]]


class _Built(NamedTuple):
    sql: str
    params: tuple[Any, ...]
    names: tuple[str, ...]


class Statement:
    """``build`` makes the query of one row for a reader: out of its id, its roles and whether it is an admin alone."""

    def __init__(self, build: Callable[[User], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._built: dict[_Kind, _Built] = {}

    def row(self, user: User) -> dict[str, Any]:
        """The row for ``user``; empty where there is none."""
        scopes = _scopes(user)
        kind: _Kind = (access.is_admin(user), tuple((scope.partition(":")[0], role) for scope, role in scopes))
        built = self._built.get(kind)
        if built is None:
            if len(self._built) >= _MOST_KINDS:
                self._built.clear()
            built = self._built[kind] = self._build_for(kind)
        values = _values(user.pk, [scope for scope, _ in scopes])
        with connection.cursor() as cursor:
            cursor.execute(built.sql, [values.get(param, param) for param in built.params])
            found = cursor.fetchone()
        return dict(zip(built.names, found, strict=True)) if found else {}

    def _build_for(self, kind: _Kind) -> _Built:
        admin, roles = kind
        scopes = [f"{scheme}:{_NOBODY + n}" for n, (scheme, _) in enumerate(roles, start=1)]
        nobody = User(pk=_NOBODY, is_superuser=admin)
        access.remember(nobody, dict(zip(scopes, (role for _, role in roles), strict=True)))
        compiler = self._build(nobody).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        known = _values(_NOBODY, scopes)
        for param in params:
            if not isinstance(param, int | str) or (str(_NOBODY)[:8] in str(param) and param not in known):
                raise ValueError(f"{param!r} in a statement is another for each reader, and is not told apart.")
        places = sorted((place, name) for name, place in (compiler.annotation_col_map or {}).items())
        return _Built(sql, tuple(params), tuple(name for _, name in places))


def _scopes(user: User) -> list[tuple[str, Role]]:
    """By scheme and role, so that readers with as many of each are of one kind."""
    return sorted(access.roles(user).items(), key=lambda held: (held[0].partition(":")[0], held[1], held[0]))


def _values(person: int, scopes: list[str]) -> dict[Any, Any]:
    """What a stand-in's statement says, and what it is to say for this person."""
    found: dict[Any, Any] = {_NOBODY: person, own_scope(_NOBODY): own_scope(person)}
    for n, scope in enumerate(scopes, start=1):
        scheme, _, number = scope.partition(":")
        found |= {f"{scheme}:{_NOBODY + n}": scope, _NOBODY + n: int(number)}
    return found
