"""The calendar of freezes: the next weeks of each environment, what is frozen now, what is over; constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import F, Q
from django.db.models import Window as Over
from django.db.models.functions import RowNumber

from deployments import freezes, windows
from deployments.models import Environment, Freeze
from deployments.queries import Bounded, bounded
from deployments.windows import Window
from portal.core import clock, limits
from tickets.models import Project

PROJECTS_SHOWN: Final = 20
ENVIRONMENTS_SHOWN: Final = 20
READ: Final = 1000
IN_A_CELL: Final = 4
OVER_SHOWN: Final = 20
NEXT_SHOWN: Final = 5


class Shown(NamedTuple):
    """A window of a freeze."""

    freeze: Freeze
    begins: datetime
    ends: datetime
    now: bool


class Cell(NamedTuple):
    windows: list[Shown]
    more: int


@dataclass(slots=True)
class Row:
    environment: Environment
    cells: list[Cell] = field(default_factory=list)
    # what freezes it now, the longest
    now: Shown | None = None


@dataclass(slots=True)
class Table:
    project: Project
    rows: list[Row] = field(default_factory=list)
    # environments are left out
    cut: bool = False
    planned: list[Freeze] = field(default_factory=list)


@dataclass(slots=True)
class Calendar:
    weeks: list[datetime]
    tables: list[Table]
    over: Bounded


def of(projects: Sequence[Project]) -> Calendar:
    """Of these projects, as many as are shown."""
    chosen = projects[:PROJECTS_SHOWN]
    now = clock.now()
    monday = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    weeks = [monday + timedelta(weeks=n) for n in range(limits.value("FREEZE_CALENDAR_WEEKS"))]
    planned = freezes.to_come().filter(project__in=chosen).select_related("project", "environment")
    tables = {project.pk: Table(project) for project in chosen}
    for freeze in planned.order_by("begins_at", "pk")[:READ]:
        tables[freeze.project_id].planned.append(freeze)
    for environment in _environments(chosen):
        table = tables[environment.project_id]
        if len(table.rows) == ENVIRONMENTS_SHOWN:
            table.cut = True
            continue
        table.rows.append(_row(environment, table.planned, weeks, now))
    over = freezes.over().filter(project__in=chosen).select_related("project", "environment")
    return Calendar(weeks, list(tables.values()), bounded(over.order_by("-pk"), OVER_SHOWN))


def _environments(projects: Iterable[Project]) -> Iterable[Environment]:
    place = Over(RowNumber(), partition_by=F("project"), order_by=["place", "name"])
    rows = Environment.objects.filter(project__in=projects).annotate(row=place)
    return rows.filter(Q(row__lte=ENVIRONMENTS_SHOWN + 1)).order_by("project", "place", "name")


def _row(environment: Environment, planned: Iterable[Freeze], weeks: Sequence[datetime], now: datetime) -> Row:
    own = [freeze for freeze in planned if freeze.environment_id in {None, environment.pk}]
    row = Row(environment)
    for week in weeks:
        found = [
            _shown(freeze, window, now)
            for freeze in own
            for window in windows.overlapping(freeze, week, week + timedelta(weeks=1))
        ]
        found.sort(key=lambda one: (one.begins, one.freeze.pk))
        row.cells.append(Cell(found[:IN_A_CELL], max(len(found) - IN_A_CELL, 0)))
    in_force = freezes.at(now, own)
    if in_force:
        longest = max(in_force, key=lambda one: one.window.ends)
        row.now = _shown(longest.freeze, longest.window, now)
    return row


def _shown(freeze: Freeze, window: Window, now: datetime) -> Shown:
    return Shown(freeze, window.begins, window.ends, window.holds(now))


def next_of(freeze: Freeze) -> list[Shown]:
    """The windows of a freeze that are not over, the next ones."""
    now = clock.now()
    until = max(now, freeze.begins_at) + timedelta(weeks=NEXT_SHOWN)
    return [_shown(freeze, window, now) for window in windows.overlapping(freeze, now, until)][:NEXT_SHOWN]
