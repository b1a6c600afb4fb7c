"""What stands in environments, in the API's form."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ninja import Schema

from deployments import allowed_now
from deployments.allowed_now import Now
from deployments.models import Placement
from portal.api.shapes import moment

STANDING_SHOWN: Final = 1000


class StandsOut(Schema):
    service: str
    # empty: nothing, or nobody knows since a deployment failed
    release: str
    release_number: int | None
    commit: str
    deployment: int
    since: str
    # when the service itself reported that commit
    verified_at: str | None
    # asked by schedule since: when last, and since when and how it is not what was deployed any more
    observed_at: str | None
    degraded_at: str | None
    degraded_why: str
    # what its gate would answer today: ship, ship_after or do_not_ship; empty where nothing is known to stand there
    answer: str
    # findings that hold it; and whether the newest verdict on its commit is stale, null where there is none
    findings: int
    stale: bool | None


def stands_shown(row: Placement, now: Now) -> dict[str, Any]:
    return {
        **{name: getattr(now, name) for name in ("answer", "findings", "stale")},
        "service": row.service.name,
        "release": str(row.release or ""),
        "release_number": row.release_id,
        "commit": row.release.commit if row.release else "",
        "deployment": row.deployment_id,
        "since": moment(row.since),
        "verified_at": moment(row.verified_at),
        "observed_at": moment(row.observed_at),
        "degraded_at": moment(row.degraded_at),
        "degraded_why": row.degraded_why,
    }


def stands_in(environments: Collection[int]) -> tuple[dict[int, list[dict[str, Any]]], int]:
    """By environment; and how many more stand somewhere of these, and are not told."""
    placed = Placement.objects.filter(environment__in=environments).select_related(
        "service", "release__service__project", "environment"
    )
    first = list(placed.order_by("service__name", "pk")[: STANDING_SHOWN + 1])
    now = allowed_now.of((row.release, row.environment) for row in first[:STANDING_SHOWN] if row.release)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in first[:STANDING_SHOWN]:
        shown = stands_shown(row, now.get((row.release_id or 0, row.environment_id), Now()))
        found.setdefault(row.environment_id, []).append(shown)
    return found, placed.count() - STANDING_SHOWN if len(first) > STANDING_SHOWN else 0
