"""Approvals: a person's yes to one deployment's release and plan, never by who asked for it."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from deployments import authorship, gates, requesting
from deployments.models import Approval, ApprovalState, Deployment, DeploymentState
from deployments.transitions import APPROVAL
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work


def why_not(deployment: Deployment, person: User) -> str:
    """Why ``person`` cannot approve it now; empty where nothing is in the way but the role."""
    if deployment.state != DeploymentState.WAITING:
        return f"It is {deployment.get_state_display().lower()}: it waits for no approval."
    if deployment.requested_by_id == person.pk:
        return "You asked for this deployment, so somebody else approves it."
    if authorship.wrote(deployment, person):
        return "It brings a commit that you wrote, so somebody else approves it."
    old = expired(deployment)
    if any(approval.approver_id == person.pk and approval.pk not in old for approval in given(deployment)):
        return "You have approved it."
    return ""


def given(deployment: Deployment) -> list[Approval]:
    """For this very plan and not withdrawn, the oldest first."""
    rows = Approval.objects.filter(deployment=deployment, state=ApprovalState.GIVEN)
    return list(rows.filter(target_digest=deployment.plan_digest).order_by("at", "pk"))


def expired(deployment: Deployment) -> set[int]:
    """Those for this very plan that are too old to count, by their ids."""
    rows = Approval.objects.filter(gates.expired(), deployment=deployment, state=ApprovalState.GIVEN)
    return set(rows.filter(target_digest=deployment.plan_digest).values_list("pk", flat=True))


def approve(deployment: Deployment, *, by: User, plan_digest: str, reason: str = "") -> Approval:
    """Say yes to the plan that was seen; the gate is asked again at once. Raises ``Refused``."""
    with unit_of_work() as work:
        # What is approved must be what is there: the plan may be made anew at any moment.
        locked = Deployment.objects.select_for_update(no_key=True).get(pk=deployment.pk)
        deployment.refresh_from_db()
        if problem := why_not(deployment, by):
            raise Refused(problem)
        if locked.plan_digest != plan_digest:
            raise Refused("The plan has changed since you opened it. Read it as it is now, then decide.")
        _make_room(deployment, by)
        try:
            with transaction.atomic():
                made = Approval.objects.create(
                    deployment=deployment,
                    approver=by,
                    approver_label=str(by)[:254],
                    target_digest=deployment.plan_digest,
                    reason=reason[:500],
                    state=ApprovalState.GIVEN,
                )
        except IntegrityError:
            raise Refused("You have approved it.") from None
        work.record("deployment.approved", deployment.subject, after={"by": str(by)}, reason=reason)
        APPROVAL.announce(made)
        requesting.look_again(deployment)
    return made


def _make_room(deployment: Deployment, by: User) -> None:
    """One's own that has expired goes: a person has one standing approval of a plan."""
    for old in Approval.objects.filter(pk__in=expired(deployment), approver=by).select_related("deployment"):
        APPROVAL.move(old, "withdraw", reason="It had expired, and is given anew.")


def withdraw(approval: Approval, *, by: User, reason: str = "") -> Approval:
    """Take one's own yes back while it still waits. Raises ``Refused``."""
    if approval.approver_id != by.pk:
        raise Refused("Only who gave an approval withdraws it.")
    if approval.deployment.state not in {DeploymentState.WAITING, DeploymentState.QUEUED}:
        raise Refused(f"The deployment is {approval.deployment.get_state_display().lower()}: it is too late for that.")
    return APPROVAL.move(approval, "withdraw", reason=reason)
