"""Who is told what of a deployment: who asked for it, and those who may decide, within the change itself."""

from __future__ import annotations

from typing import Final

from deployments.models import Asks, Deployment, Interruption, Placement
from portal.core import notifications
from portal.core.access import Role
from portal.core.models import User
from tickets.models import Membership
from tickets.rights import readers

_ENDED: Final = {
    "succeed": "is there",
    "fail": "ended as failed",
    "come_back": "was rolled back",
    "refuse": "was refused",
    "cancel": "was cancelled",
}


def waits_for_approval(deployment: Deployment) -> None:
    """Those who may approve it: releasers other than who asked."""
    title = f"{_name(deployment)} waits for an approval"
    people = _releasers(deployment) - {deployment.requested_by_id}
    _tell(deployment, people, "deployment.approval_wanted", title, place="#approvals")


def interrupted(interruption: Interruption) -> None:
    deployment = interruption.deployment
    said = interruption.detail or interruption.step.instructions
    if interruption.about == Asks.GATE:
        title = f"{_name(deployment)} is held before {interruption.step.name}. {said}"
    else:
        title = f"{_name(deployment)} needs a person: {interruption.step.name}. {said}"
    _tell(deployment, _releasers(deployment) | _requester(deployment), "deployment.interrupt", title)


def ended(deployment: Deployment, verb: str) -> None:
    why = f": {deployment.why}" if deployment.why else ""
    title = f"{_name(deployment)} {_ENDED[verb]}{why}"
    people = _requester(deployment)
    if verb in {"fail", "come_back"}:
        people |= _releasers(deployment)
    _tell(deployment, people, f"deployment.{verb}", title)


def degraded(placement: Placement, why: str, *, replaced: bool) -> None:
    """``replaced``: another commit than the one that was deployed answers there."""
    said = "runs another commit than was deployed" if replaced else "is not well any more"
    _of_placement(placement, "placement.replaced" if replaced else "placement.degraded", f"{said}: {why}")


def recovered(placement: Placement) -> None:
    _of_placement(placement, "placement.recovered", "is well again: it reports what was deployed")


def _of_placement(placement: Placement, verb: str, said: str) -> None:
    deployment = placement.deployment
    people = _releasers(deployment) | _requester(deployment)
    title = f"{placement.release or placement.service} in {placement.environment} {said}"
    _tell(deployment, people, verb, title, url=placement.environment.get_absolute_url())


def _name(deployment: Deployment) -> str:
    return f"{deployment.release or deployment.service} to {deployment.environment}"


def _requester(deployment: Deployment) -> set[int | None]:
    return {deployment.requested_by_id}


def _releasers(deployment: Deployment) -> set[int | None]:
    """Members who may decide; admins where the project has none."""
    rows = Membership.objects.filter(project=deployment.service.project_id, role__gte=Role.RELEASER.value)
    found: set[int | None] = set(rows.values_list("user", flat=True))
    return found or set(User.objects.filter(is_superuser=True, is_active=True).values_list("pk", flat=True))


def _tell(
    deployment: Deployment, people: set[int | None], verb: str, title: str, *, place: str = "", url: str = ""
) -> None:
    project = deployment.service.project
    seeing = readers(project.pk, [person for person in people if person is not None])
    url = url or f"{deployment.get_absolute_url()}{place}"
    notifications.notify(seeing, verb=verb, subject=deployment.subject, scope=project.scope, title=title, url=url)
