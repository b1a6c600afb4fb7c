"""Waiving what a migration is without: by a second person, for one release and one plan, with a reason."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from deployments import authorship, requesting
from deployments.models import Deployment, DeploymentState, Waiver
from deployments.rehearsals import missing
from deployments.transitions import DEPLOYMENT
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work


def why_not(deployment: Deployment, person: User) -> str:
    """Why ``person`` cannot waive it now; empty where nothing is in the way but the role."""
    if deployment.state != DeploymentState.WAITING:
        return f"It is {deployment.get_state_display().lower()}: it waits for no waiver."
    if deployment.requested_by_id == person.pk:
        return "You asked for this deployment, so somebody else waives it."
    if authorship.wrote(deployment, person):
        return "It brings a commit that you wrote, so somebody else waives it."
    return ""


def waive(deployment: Deployment, kind: str, *, by: User, plan_digest: str, reason: str) -> Waiver:
    """Let the migrations of the plan that was seen go as they are; the gate is asked again at once.

    Raises ``Refused``.
    """
    if not reason.strip():
        raise Refused("Say why it may go so: the reason is what the next reader has.")
    with unit_of_work() as work:
        # What is waived must be what is there: the plan may be made anew at any moment.
        locked = Deployment.objects.select_for_update(no_key=True).get(pk=deployment.pk)
        deployment.refresh_from_db()
        if problem := why_not(deployment, by):
            raise Refused(problem)
        if locked.plan_digest != plan_digest:
            raise Refused("The plan has changed since you opened it. Read it as it is now, then decide.")
        if deployment.release is None or kind not in missing(deployment):
            raise Refused("Nothing of that kind is missing here, or it is waived already.")
        try:
            with transaction.atomic():
                made = Waiver.objects.create(
                    deployment=deployment,
                    release=deployment.release,
                    target_digest=plan_digest,
                    kind=kind,
                    reason=reason[:500],
                    by=by,
                    by_label=str(by)[:254],
                )
        except IntegrityError:
            # By somebody who may no more: what it says stands, and counts for nothing.
            raise Refused("That was waived for this plan by somebody who may not do so any more. Ask anew.") from None
        work.record("deployment.waived", deployment.subject, after={"kind": kind, "by": str(by)}, reason=reason)
        DEPLOYMENT.announce(deployment)
        requesting.look_again(deployment)
    return made
