"""Who runs beside a migrate step, and whether the step may go on under them.

Processes say of themselves, in rows, for which structure their code was
written. A step that older code may run beside waits for nobody. One that it
may not run beside waits until no process of other code is seen; one that goes
back, until none of this code is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.models import Model, Q

from portal.core import limits
from portal.core.clock import Wall
from portal.core.guard import expansion, manifest

_PAUSE_SECONDS: Final = 0.5
_NAMED: Final = 5
_MOST: Final = 200
_NEEDED: Final = {"name", "version", "schema", "seen_at"}

Plan = Sequence[tuple[Migration, bool]]
Say = Callable[[str], object]


class OldCodeRuns(Exception):
    """Nothing was changed; the message names who runs, and what lifts it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that was seen within a lease. ``schema`` is the fingerprint of what its code was written for."""

    name: str
    version: str
    schema: str


_sources: Final[list[tuple[type[Model], Q]]] = []


def register(model: type[Model], alive: Q | None = None) -> None:
    """Rows of ``model`` are processes; called by the layer whose they are.

    It has ``name``, ``version``, ``schema`` and ``seen_at``. ``alive`` leaves out those that said that they ended.
    """
    source = (model, alive or Q())
    if source not in _sources:
        _sources.append(source)


def seen(connection: BaseDatabaseWrapper) -> list[Seen]:
    """Processes of this installation that are alive, or were lost within the last lease. At most some hundred."""
    found: list[Seen] = []
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model, alive in _sources:
            table = model._meta.db_table
            if table not in tables:
                continue
            columns = {row.name for row in connection.introspection.get_table_description(cursor, table)}
            # Of a schema from before processes said so: nobody can tell.
            if columns >= _NEEDED:
                rows: Any = model._default_manager.using(connection.alias).order_by("name")
                since = Wall(-limits.value("LEASE_SECONDS"))
                told = rows.filter(alive, seen_at__gte=since).values_list("name", "version", "schema")
                found += [Seen(*row) for row in told[:_MOST]]
    return found


def wait(connection: BaseDatabaseWrapper, plan: Plan, say: Say, seconds: float) -> None:
    """Wait until the plan may go on under those who are seen; says for whom. Raises ``OldCodeRuns``.

    A process that was killed is no longer seen after a lease, so that the wait for it ends by itself.
    """
    steps, in_the_way = _in_the_way(connection.vendor, plan)
    if not steps:
        return
    until, said = time.monotonic() + seconds, False
    while others := [row for row in seen(connection) if in_the_way(row)]:
        if time.monotonic() >= until:
            raise OldCodeRuns(f"{_told(steps, others)} Nothing was changed. Stop them, then try again.")
        if not said:
            say(f"{_told(steps, others)} Waiting up to {seconds:.0f} s for them to end.")
            said = True
        time.sleep(_PAUSE_SECONDS)


def _in_the_way(vendor: str, plan: Plan) -> tuple[list[str], Callable[[Seen], bool]]:
    """The steps that wait, and for whom."""
    contract = [migration for migration, _ in plan if expansion.kind_of(migration) == expansion.Kind.CONTRACT]
    back = [migration for migration, backwards in plan if backwards]
    if back and contract:
        return _names(back), lambda row: True
    own = manifest.load(vendor).structure.fingerprint()
    if back:
        # Older code never knew what goes; it goes on beside.
        return _names(back), lambda row: row.schema == own
    return _names(contract), lambda row: row.schema != own


def _names(migrations: Sequence[Migration]) -> list[str]:
    return [f"{migration.app_label}.{migration.name}" for migration in migrations]


def _told(steps: list[str], others: list[Seen]) -> str:
    named = ", ".join(f"{row.name} (version {row.version or 'unknown'})" for row in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    what = f"{steps[0]} and {len(steps) - 1} more migrations" if len(steps) > 1 else steps[0]
    return f"{what}: no process may run beside that whose code was not written for it. Seen: {named}{more}."
