"""What the database says of one finding and of the places of its project, asked for once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deployments.models import (
    ACTIVE_STATES,
    OPEN_STATES,
    Deployment,
    Environment,
    Phase,
    Placement,
    Release,
    Service,
    Step,
    StepState,
)
from reviews.models import Edge, Evidence, Finding
from tickets.models import Merge

EDGES_READ: Final = 500
UNDER_WAY_READ: Final = 100


class Known:
    """``rows`` are the edges of the finding, the newest first."""

    def __init__(self, finding: Finding) -> None:
        self.finding, self.project = finding, finding.series.project
        rows = list(Evidence.objects.filter(finding=finding).order_by("-at", "-pk")[:EDGES_READ])
        self.rows = rows
        self.commits = {row.ref for row in rows if row.edge == Edge.COMMIT}
        self.merges = set(Merge.objects.filter(merged_commit__in=self.commits).values_list("pk", flat=True))
        refs = {int(row.ref) for row in rows if row.edge in (Edge.DEPLOYMENT, Edge.HEALTH)}
        self.deployments: Mapping[int, Deployment] = Deployment.objects.in_bulk(refs)
        placed = Placement.objects.filter(service__project=self.project).select_related(
            "release__service", "deployment__previous__service"
        )
        self.placements = {(row.service_id, row.environment_id): row for row in placed}
        self.can_go_back = set(
            Step.objects.filter(
                deployment__in=[row.deployment_id for row in self.placements.values()],
                phase=Phase.BACK,
                state=StepState.WAITING,
            ).values_list("deployment", flat=True)
        )
        coming = Deployment.objects.filter(service__project=self.project, state__in=[*OPEN_STATES, *ACTIVE_STATES])
        coming = coming.select_related("release", "service", "environment").order_by("-pk")
        self.coming = [row for row in coming[:UNDER_WAY_READ] if row.release is None or self.holds(row.release)]

    def newest(self, edge: Edge) -> Evidence | None:
        return next((row for row in self.rows if row.edge == edge), None)

    def there(self, edge: Edge, service: Service, environment: Environment) -> Evidence | None:
        """The edge that says that it stands in this place."""
        for row in self.rows:
            found = self.deployments.get(int(row.ref)) if row.edge == edge else None
            if found and (found.service_id, found.environment_id) == (service.pk, environment.pk):
                return row
        return None

    def holds(self, release: Release | None) -> bool:
        return release is not None and not self.merges.isdisjoint(release.merges)
