"""Which release of each service is where: of each project a table of its services by its environments.

Each cell says besides whether that would be let go there today, and how far it is behind the environment before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from deployments import allowed_now
from deployments.allowed_now import Now
from deployments.models import (
    ACTIVE_STATES,
    OPEN_STATES,
    Deployment,
    DeploymentState,
    Environment,
    Hold,
    HoldState,
    Placement,
    Release,
    Service,
)
from tickets.models import Project

PROJECTS_SHOWN: Final = 20
SERVICES_SHOWN: Final = 40
ENVIRONMENTS_SHOWN: Final = 12
MOVING_READ: Final = 2000


class Behind(NamedTuple):
    """How far what stands in one environment is from what stands in the one before.

    ``commits`` and ``ahead`` are what git counted when either was prepared; None: it was not asked of these two.
    """

    environment: Environment
    release: Release
    commits: int | None
    ahead: int | None
    tickets: int
    releases: int

    @property
    def said(self) -> str:
        """The surest of the numbers, in words."""
        if self.commits is not None and (self.commits or self.ahead):
            ahead = f"{self.ahead} ahead of" if self.ahead else ""
            if not self.commits:
                return f"{_many(self.ahead or 0, 'commit')} ahead of {self.environment}"
            return f"{_many(self.commits, 'commit')} behind{', ' if ahead else ''}{ahead} {self.environment}"
        if self.commits == 0:
            return f"The commit of {self.environment}, by another pipeline"
        if self.tickets:
            return f"{_many(self.tickets, 'ticket')} behind {self.environment}"
        if self.releases > 0:
            return f"{_many(self.releases, 'release')} behind {self.environment}"
        return f"A later release than in {self.environment}"

    @property
    def detail(self) -> str:
        commits = "commits not counted" if self.commits is None else _many(self.commits, "commit")
        releases = _many(self.releases, "release") if self.releases > 0 else "no release"
        return f"Behind {self.release}: {commits}, {_many(self.tickets, 'ticket')}, {releases}."


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


@dataclass(slots=True)
class Cell:
    """A service in an environment: what stands there, and what is on its way or waits to be."""

    placement: Placement | None = None
    moving: Deployment | None = None
    # on their way there, besides the one that is shown
    more: int = 0
    held: bool = False
    environment: Environment | None = None
    # of what stands there: what its gate would say today, and how far it is from the environment before
    now: Now | None = None
    behind: Behind | None = None

    @property
    def release(self) -> Release | None:
        return self.placement.release if self.placement else None

    @property
    def look(self) -> str:
        """What the cell is about first: something to do, something that goes on, or how sure it is."""
        if self.moving is not None and self.moving.state == DeploymentState.INTERRUPTED:
            return "person"
        if self.moving is not None and self.moving.state in ACTIVE_STATES:
            return "moving"
        if self.placement is None:
            return "waiting" if self.moving else "nothing"
        if self.release is None:
            return "unknown"
        if self.placement.degraded_at is not None:
            return "degraded"
        if self.placement.deployment.state == DeploymentState.ROLLED_BACK:
            return "back"
        return "verified" if self.placement.verified_at else "deployed"


@dataclass(slots=True)
class Row:
    service: Service
    cells: list[Cell]


@dataclass(slots=True)
class Table:
    """A project's; ``cut``: it has more services or environments than these."""

    project: Project
    environments: list[Environment]
    rows: list[Row]
    cut: list[str] = field(default_factory=list)


def tables(projects: list[Project]) -> list[Table]:
    """Of the first ``PROJECTS_SHOWN``; a project that deploys nothing is left out."""
    shown = projects[:PROJECTS_SHOWN]
    services = _ranked(Service.objects.filter(project__in=shown), SERVICES_SHOWN, "name")
    environments = _ranked(Environment.objects.filter(project__in=shown), ENVIRONMENTS_SHOWN, "place", "name")
    cells = _cells(services, environments)
    held = _held(environments)
    for environment in environments:
        environment.held = held.get(environment.pk)
    found = []
    for project in shown:
        across = [one for one in environments if one.project_id == project.pk]
        down = [one for one in services if one.project_id == project.pk]
        if not across and not down:
            continue
        table = Table(project, across[:ENVIRONMENTS_SHOWN], [])
        for service in down[:SERVICES_SHOWN]:
            row = [cells.get((service.pk, one.pk)) or Cell() for one in table.environments]
            for cell, environment in zip(row, table.environments, strict=True):
                cell.environment = environment
            _compare(row)
            table.rows.append(Row(service, row))
        table.cut += [f"{SERVICES_SHOWN} services"] if len(down) > SERVICES_SHOWN else []
        table.cut += [f"{ENVIRONMENTS_SHOWN} environments"] if len(across) > ENVIRONMENTS_SHOWN else []
        found.append(table)
    _judge(found)
    return found


def _judge(tables: list[Table]) -> None:
    cells = [cell for table in tables for row in table.rows for cell in row.cells]
    asked = [(cell, cell.release, cell.environment) for cell in cells if cell.environment and cell.release]
    found = allowed_now.of((release, environment) for _, release, environment in asked)
    for cell, release, environment in asked:
        cell.now = found[release.pk, environment.pk]


def _compare(cells: list[Cell]) -> None:
    """Each with the environment that its own follows; else with the nearest to its left where a release stands."""
    standing = {cell.environment.pk: cell for cell in cells if cell.environment and cell.release}
    before: Cell | None = None
    for cell in standing.values():
        assert cell.environment is not None
        other = standing.get(cell.environment.follows_id or 0) or before
        if other is not None:
            cell.behind = _behind(cell, other)
        before = cell


def _behind(here: Cell, there: Cell) -> Behind | None:
    """None where the same release stands in both; one stands in each."""
    one, other = here.release, there.release
    assert one and other and there.environment and here.placement and there.placement
    if one.pk == other.pk:
        return None
    ahead, commits = _counted(here.placement, there.placement)
    tickets = len(set(other.merges) - set(one.merges))
    return Behind(there.environment, other, commits, ahead, tickets, other.number - one.number)


def _counted(here: Placement, there: Placement) -> tuple[int | None, int | None]:
    """Commits that ``here`` is ahead, and behind, as either was compared with the other when it was prepared."""
    one, other = (placement.release.commit if placement.release else "" for placement in (here, there))
    if one and one == other:
        return 0, 0
    for placement, own, its in ((here, one, other), (there, other, one)):
        found = placement.deployment.changes.get("beside", {}).get(its)
        if found and placement.deployment.commit == own:
            ahead, late = found if placement is here else reversed(found)
            return ahead, late
    return None, None


def _ranked(rows: QuerySet[Any], most: int, *order: str) -> list[Any]:
    """Of each project one more than ``most``, so that no project's many leave no room for another's few."""
    rank = Window(RowNumber(), partition_by=F("project"), order_by=order)
    return list(rows.annotate(rank=rank).filter(rank__lte=most + 1).order_by(*order, "pk"))


def _cells(services: list[Service], environments: list[Environment]) -> dict[tuple[int, int], Cell]:
    found: dict[tuple[int, int], Cell] = {}
    placed = Placement.objects.filter(service__in=services, environment__in=environments)
    for placement in placed.select_related("release__service__project", "deployment"):
        found[placement.service_id, placement.environment_id] = Cell(placement)
    moving = Deployment.objects.filter(
        service__in=services, environment__in=environments, state__in=[*OPEN_STATES, *ACTIVE_STATES]
    )
    for deployment in moving.select_related("release__service").order_by("-pk")[:MOVING_READ]:
        _put(found.setdefault((deployment.service_id, deployment.environment_id), Cell()), deployment)
    standing = [cell.placement.release_id for cell in found.values() if cell.placement]
    held = set(Hold.objects.filter(release__in=standing, state=HoldState.HOLDING).values_list("release", flat=True))
    for cell in found.values():
        cell.held = cell.placement is not None and cell.placement.release_id in held
    return found


def _put(cell: Cell, deployment: Deployment) -> None:
    """What has the place goes before what waits for it; of those that wait, the newest."""
    if cell.moving is None:
        cell.moving = deployment
        return
    cell.more += 1
    if deployment.state in ACTIVE_STATES:
        cell.moving = deployment


def _held(environments: list[Environment]) -> dict[int, Hold]:
    rows = Hold.objects.filter(environment__in=environments, state=HoldState.HOLDING)
    return {hold.environment_id: hold for hold in rows if hold.environment_id is not None}
