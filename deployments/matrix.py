"""Which release of each service is where: of each project a table of its services by its environments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from deployments.models import (
    ACTIVE_STATES,
    OPEN_STATES,
    Deployment,
    DeploymentState,
    Environment,
    Hold,
    HoldState,
    Placement,
    Service,
)
from tickets.models import Project

PROJECTS_SHOWN: Final = 20
SERVICES_SHOWN: Final = 40
ENVIRONMENTS_SHOWN: Final = 12
MOVING_READ: Final = 2000


@dataclass(slots=True)
class Cell:
    """A service in an environment: what stands there, and what is on its way or waits to be."""

    placement: Placement | None = None
    moving: Deployment | None = None
    # on their way there, besides the one that is shown
    more: int = 0
    held: bool = False

    @property
    def look(self) -> str:
        """What the cell is about first: something to do, something that goes on, or how sure it is."""
        if self.moving is not None and self.moving.state == DeploymentState.INTERRUPTED:
            return "person"
        if self.moving is not None and self.moving.state in ACTIVE_STATES:
            return "moving"
        if self.placement is None:
            return "waiting" if self.moving else "nothing"
        if self.placement.release is None:
            return "unknown"
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
            table.rows.append(Row(service, row))
        table.cut += [f"{SERVICES_SHOWN} services"] if len(down) > SERVICES_SHOWN else []
        table.cut += [f"{ENVIRONMENTS_SHOWN} environments"] if len(across) > ENVIRONMENTS_SHOWN else []
        found.append(table)
    return found


def _ranked(rows: QuerySet[Any], most: int, *order: str) -> list[Any]:
    """Of each project one more than ``most``, so that no project's many leave no room for another's few."""
    rank = Window(RowNumber(), partition_by=F("project"), order_by=order)
    return list(rows.annotate(rank=rank).filter(rank__lte=most + 1).order_by(*order, "pk"))


def _cells(services: list[Service], environments: list[Environment]) -> dict[tuple[int, int], Cell]:
    found: dict[tuple[int, int], Cell] = {}
    placed = Placement.objects.filter(service__in=services, environment__in=environments)
    for placement in placed.select_related("release__service", "deployment"):
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
