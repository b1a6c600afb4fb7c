"""Pools and kinds as they stand: what waits, what runs, what is paused, and how many may run at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet

from workers import kinds
from workers.models import Job, JobState, Lane, Pause, Pool
from workers.queue import KIND_LANE, kind_lane


class Tallied(NamedTuple):
    """Jobs of one pool, kind and state; ``due`` is when the first of them was due, where they wait."""

    pool: str
    kind: str
    state: str
    number: int
    due: datetime | None


@dataclass(slots=True)
class Standing:
    """Of a pool or of a kind. ``name`` is what pauses and resumes it."""

    name: str
    label: str
    queued: int = 0
    running: int = 0
    # since when the longest of those that are due waits
    oldest: datetime | None = None
    pause: Pause | None = None
    # how many of a kind may run at once, and how many hold a slot of it; none where there is no limit
    slots: int | None = None
    held: int = 0
    kinds: list[Standing] = field(default_factory=list)

    @property
    def which(self) -> str:
        """The pool or the kind alone."""
        return self.name.partition(":")[2]

    def add(self, state: str, number: int, due: datetime | None, now: datetime) -> None:
        if state == JobState.RUNNING:
            self.running += number
        elif state == JobState.QUEUED:
            self.queued += number
            if due is not None and due <= now:
                self.oldest = min(self.oldest or due, due)


def known(name: str) -> Standing | None:
    """The pool or kind that ``name`` names, without its numbers; none where there is no such."""
    what, _, which = name.partition(":")
    if what == "pool" and which in Pool.values:
        return Standing(name, Pool(which).label)
    if what == "kind" and kinds.get(which) is not None:
        return Standing(name, kinds.label(which))
    return None


def tallied(rows: QuerySet[Job]) -> list[Tallied]:
    """``rows`` by pool, kind and state, in one query."""
    due = Min("run_after", filter=Q(state=JobState.QUEUED))
    found: Any = rows.order_by().values_list("pool", "kind", "state").annotate(number=Count("id"), due=due)
    return [Tallied(*line) for line in found]


def standings(tally: list[Tallied], now: datetime) -> list[Standing]:
    """Each pool, with those of its kinds of which anything is to say: live jobs, a pause, a limit."""
    pools = {pool.value: Standing(f"pool:{pool.value}", pool.label) for pool in Pool}
    found: dict[str, Standing] = {}
    homes = {kind: pool for kind in kinds.known() if (pool := _home(kind))}
    for pool, kind, state, number, due in tally:
        if pool in pools and state in {JobState.QUEUED, JobState.RUNNING}:
            homes.setdefault(kind, pool)
            pools[pool].add(state, number, due, now)
            _of_kind(found, kind).add(state, number, due, now)
    for pause in Pause.objects.all():
        what, _, which = pause.name.partition(":")
        if what == "pool" and which in pools:
            pools[which].pause = pause
        elif what == "kind":
            _of_kind(found, which).pause = pause
    for name, slots, held in kind_limits():
        of_kind = _of_kind(found, name.removeprefix(KIND_LANE))
        of_kind.slots, of_kind.held = slots, held
    for kind in sorted(found):
        if homes.get(kind) in pools:
            pools[homes[kind]].kinds.append(found[kind])
    return list(pools.values())


def kind_limits() -> list[tuple[str, int, int]]:
    """The lanes of kinds: name, slots, how many are held."""
    held = Count("rows", filter=Q(rows__job__isnull=False))
    rows: Any = Lane.objects.filter(name__startswith=KIND_LANE).order_by("name")
    return list(rows.annotate(held=held).values_list("name", "slots", "held"))


def unlimited() -> list[str]:
    """The kinds that have no limit yet."""
    limited = set(Lane.objects.filter(name__startswith=KIND_LANE).values_list("name", flat=True))
    return [kind for kind in kinds.known() if kind_lane(kind) not in limited]


def _home(kind: str) -> str:
    """The pool whose workers take it."""
    registered = kinds.get(kind)
    return str(registered.pool) if registered else ""


def _of_kind(found: dict[str, Standing], kind: str) -> Standing:
    return found.setdefault(kind, Standing(f"kind:{kind}", kinds.label(kind)))
