"""What the page of a deployment shows of freezes: the words that let it through, and the form for another."""

from __future__ import annotations

from typing import Final, NamedTuple

from deployments import freezes, overriding
from deployments.freeze_forms import OverrideForm
from deployments.models import Deployment, DeploymentState, FreezeOverride
from portal.core import access
from portal.core.access import Role, within
from portal.core.models import User

SHOWN: Final = 20


class Given(NamedTuple):
    override: FreezeOverride
    counts: bool


class FreezesShown(NamedTuple):
    given: list[Given]
    owns: bool
    # why the reader cannot override, empty where nothing is in the way but the role
    why_not: str


def form_of(deployment: Deployment) -> OverrideForm | None:
    """None where no freeze keeps it."""
    if deployment.state != DeploymentState.WAITING:
        return None
    form = OverrideForm(deployment)
    return form if form.fields["freeze"].choices else None  # type: ignore[attr-defined]


def of(deployment: Deployment, reader: User) -> FreezesShown:
    rows = list(
        FreezeOverride.objects.filter(deployment=deployment)
        .select_related("freeze__project", "freeze__environment")
        .order_by("-pk")[:SHOWN]
    )
    counting = set(freezes.overrides_that_count(deployment).values_list("pk", flat=True)) if rows else set()
    return FreezesShown(
        [Given(row, row.pk in counting) for row in rows],
        access.may(reader, within(Role.OWNER), deployment.service.project.scope),
        overriding.why_not(deployment, reader) if deployment.state == DeploymentState.WAITING else "",
    )
