"""What stands where, as the deployment that ends leaves it."""

from __future__ import annotations

from typing import Final

from deployments.models import Deployment, Placement, Release
from portal.core.clock import Wall
from portal.core.unit import current

CHANGED: Final = "placement.changed"


def put(deployment: Deployment, release: Release | None, *, verified: bool) -> None:
    """Write what stands there now; None: nothing, or nobody knows. One deployment at a time comes here for a place."""
    fields = {
        "release": release,
        "deployment": deployment,
        "since": Wall(),
        "verified_at": Wall() if verified else None,
    }
    rows = Placement.objects.filter(service=deployment.service_id, environment=deployment.environment_id)
    if not rows.update(**fields):
        Placement.objects.create(service=deployment.service, environment=deployment.environment, **fields)
    # Evidence can be derived again from this: what was put where, one after the other.
    after = {
        "environment": deployment.environment_id,
        "deployment": deployment.pk,
        "release": release.pk if release else None,
        "verified": verified,
    }
    current().record(CHANGED, f"service:{deployment.service_id}", after=after, reason=deployment.place)
