"""Overriding: an owner's word that one deployment starts in spite of a freeze; never of who asked for it."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from deployments import freezes, requesting
from deployments.models import Deployment, DeploymentState, Freeze, FreezeOverride
from deployments.transitions import DEPLOYMENT
from portal.core.access import Role
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from tickets.models import Membership

CHANGED = "The plan has changed since you opened it. Read it as it is now, then decide."


def why_not(deployment: Deployment, person: User) -> str:
    """Why ``person`` cannot override a freeze for it now; empty where nothing is in the way but the role."""
    if deployment.state != DeploymentState.WAITING:
        return f"It is {deployment.get_state_display().lower()}: no freeze keeps it."
    if deployment.requested_by_id == person.pk and not _alone(deployment, person):
        key = deployment.service.project.key
        return f"You asked for this deployment, so another owner of {key} overrides the freeze."
    return ""


def _alone(deployment: Deployment, person: User) -> bool:
    """A team of one: the environment takes no approval, and nobody else could give this word."""
    if deployment.environment.approvals_needed:
        return False
    owners = Membership.objects.filter(
        user=OuterRef("pk"), project=deployment.service.project_id, role__gte=Role.OWNER.value
    )
    others = User.objects.filter(Q(is_superuser=True) | Exists(owners), is_active=True).exclude(pk=person.pk)
    return not others.exists()


def to_override(deployment: Deployment) -> list[Freeze]:
    """The freezes that keep it at its gate now."""
    if deployment.state != DeploymentState.WAITING:
        return []
    given = set(freezes.overrides_that_count(deployment).values_list("freeze", flat=True))
    return [found.freeze for found in freezes.in_force(deployment.environment) if found.freeze.pk not in given]


def override(deployment: Deployment, freeze: int, *, by: User, plan_digest: str, reason: str) -> FreezeOverride:
    """Let the plan that was seen start in spite of it; the gate is asked again at once. Raises ``Refused``."""
    if not reason.strip():
        raise Refused("Say why it cannot wait: the record of the deployment keeps it.")
    with unit_of_work() as work:
        # As with an approval: the plan may be made anew at any moment.
        locked = Deployment.objects.select_for_update(no_key=True).get(pk=deployment.pk)
        deployment.refresh_from_db()
        if problem := why_not(deployment, by):
            raise Refused(problem)
        if locked.plan_digest != plan_digest:
            raise Refused(CHANGED)
        kept = next((found for found in to_override(deployment) if found.pk == freeze), None)
        if kept is None:
            raise Refused("This freeze does not keep it, or not any more. Look at its gate as it is now.")
        made = _written(deployment, kept, by, reason)
        work.record("deployment.freeze_overridden", deployment.subject, after={"freeze": kept.pk}, reason=reason)
        DEPLOYMENT.announce(deployment)
        requesting.look_again(deployment)
    return made


def _written(deployment: Deployment, freeze: Freeze, by: User, reason: str) -> FreezeOverride:
    try:
        with transaction.atomic():
            return FreezeOverride.objects.create(
                freeze=freeze,
                deployment=deployment,
                by=by,
                by_label=str(by)[:254],
                target_digest=deployment.plan_digest,
                reason=reason[:500],
            )
    except IntegrityError:
        raise Refused("You have overridden it for this plan.") from None
