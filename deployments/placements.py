"""What stands where, as the deployment that ends leaves it."""

from __future__ import annotations

from typing import Any, Final

from deployments.models import Deployment, Placement, Release
from portal.core.clock import Wall
from portal.core.unit import current

CHANGED: Final = "placement.changed"
# What a placement knows of its answers before the first.
UNSEEN: Final[dict[str, Any]] = {
    "observed_at": None,
    "right_in_a_row": 0,
    "wrong_in_a_row": 0,
    "degraded_at": None,
    "degraded_why": "",
}


def put(deployment: Deployment, release: Release | None, *, verified: bool) -> None:
    """Write what stands there now; None: nothing, or nobody knows. One deployment at a time comes here for a place."""
    fields = {
        "release": release,
        "deployment": deployment,
        "since": Wall(),
        "verified_at": Wall() if verified else None,
        **UNSEEN,
    }
    rows = Placement.objects.filter(service=deployment.service_id, environment=deployment.environment_id)
    if not rows.update(**fields):
        Placement.objects.create(service=deployment.service, environment=deployment.environment, **fields)
    remember(deployment, release, verified=verified, reason=deployment.place)


def remember(deployment: Deployment, release: Release | None, *, verified: bool, reason: str) -> None:
    """Write into the history what stands there, and whether the service says so: evidence is derived again from it.

    Call it in the unit of work in which that became so.
    """
    after = {
        "environment": deployment.environment_id,
        "deployment": deployment.pk,
        "release": release.pk if release else None,
        "verified": verified,
    }
    current().record(CHANGED, f"service:{deployment.service_id}", after=after, reason=reason)
