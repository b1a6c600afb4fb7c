"""The gate: may this go there? A frozen verdict on the commit, and all else that is asked; each with what lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from deployments import dependencies, freezes, rehearsals, soaking, verdicts
from deployments.conditions import Condition
from deployments.models import (
    ACTIVE_STATES,
    Approval,
    ApprovalState,
    Asks,
    Deployment,
    DeploymentState,
    Hold,
    HoldState,
    Interruption,
    InterruptionState,
    Verdict,
)
from portal.core.access import Role
from portal.core.clock import HoursAgo
from reviews import decisions
from tickets.models import Membership

WAIVERS_SHOWN: Final = 20
# in one sentence
REASONS_SAID: Final = 2

# The gate ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """``verdict`` is the answer of now, stored only where whoever asked stores it."""

    verdict: Verdict
    conditions: list[Condition]

    @property
    def is_open(self) -> bool:
        return self.verdict.go and all(condition.met for condition in self.conditions)


def look(deployment: Deployment) -> Gate:
    """All that is asked of ``deployment`` before it starts."""
    conditions = [
        *_waivers(deployment),
        *_approvals(deployment),
        *_holds(deployment),
        *freezes.asked(deployment),
        *soaking.asked(deployment),
        *dependencies.asked(deployment),
        *rehearsals.asked(deployment),
        *_way(deployment),
    ]
    return Gate(_judged(deployment), conditions)


def under_way(deployment: Deployment) -> Gate:
    """What is asked again before each step forward: whether it may still ship, and whether somebody holds it.

    Approvals, freezes, soaking, dependencies and the free place are about the
    start: half of a deployment is no safer place to wait for them.
    """
    return Gate(_judged(deployment), [*_waivers(deployment), *_holds(deployment)])


def asked_now(deployment: Deployment) -> Gate | None:
    """What is asked while it waits at its gate, or is held there under way; None where nothing is."""
    if deployment.state == DeploymentState.WAITING:
        return look(deployment)
    held = Interruption.objects.filter(deployment=deployment, state=InterruptionState.OPEN, about=Asks.GATE)
    if deployment.state == DeploymentState.INTERRUPTED and held.exists():
        return under_way(deployment)
    return None


def _judged(deployment: Deployment) -> Verdict:
    return verdicts.judge(deployment.service.project, deployment.release, environment=deployment.environment)


def in_the_way(gate: Gate) -> str:
    """What keeps it closed: the first few, and how many more."""
    found = [condition.text for condition in gate.conditions if not condition.met]
    found += [str(reason["text"]) for reason in gate.verdict.reasons]
    more = len(found) + gate.verdict.untold - REASONS_SAID
    told = "; ".join(found[:REASONS_SAID])
    return f"{told}; and {more} more" if more > 0 else told


def _waivers(deployment: Deployment) -> list[Condition]:
    """The open findings that do not hold here, each with who waived it and until when."""
    waived = verdicts.waived_in(deployment.service.project, deployment.environment)
    return [
        Condition(
            "waiver",
            True,
            f"{decision.finding} does not hold here",
            f"{decisions.in_words(decision)} {decision.reason}",
            url=f"/findings/decisions/?finding={finding}",
        )
        for finding, decision in list(waived.items())[:WAIVERS_SHOWN]
    ]


def counting() -> QuerySet[Approval]:
    """The approvals that count: for its very plan, not too old, by others than who asked, who still may."""
    releasers = Membership.objects.filter(
        user=OuterRef("approver"), project=OuterRef("deployment__service__project"), role__gte=Role.RELEASER.value
    )
    rows = Approval.objects.filter(
        Q(approver__is_superuser=True) | Exists(releasers),
        approver__is_active=True,
        state=ApprovalState.GIVEN,
        target_digest=F("deployment__plan_digest"),
    )
    return rows.exclude(approver=F("deployment__requested_by")).exclude(expired())


def expired() -> Q:
    """Approvals that are older than their environment lets them count."""
    hours = "deployment__environment__approval_hours"
    return Q(**{f"{hours}__gt": 0}, at__lte=HoursAgo(hours))


def approvals_that_count(deployment: Deployment) -> list[Approval]:
    """The oldest first. Those of another plan than the one in hand, which may not be written yet, do not."""
    rows = counting().filter(deployment=deployment, target_digest=deployment.plan_digest)
    return list(rows.order_by("at", "pk"))


def _approvals(deployment: Deployment) -> list[Condition]:
    needed = deployment.environment.approvals_needed
    if not needed:
        return []
    given = approvals_that_count(deployment)
    names = ", ".join(approval.approver_label for approval in given) or "nobody yet"
    old = Approval.objects.filter(expired(), deployment=deployment, state=ApprovalState.GIVEN)
    late = old.filter(target_digest=deployment.plan_digest).count()
    hours = deployment.environment.approval_hours
    expires = f"; {late} expired after {hours} hour{'' if hours == 1 else 's'}" if late else ""
    return [
        Condition(
            "approvals",
            len(given) >= needed,
            f"{needed} approval{'' if needed == 1 else 's'}, not by who asked",
            f"{len(given)} of {needed}: {names}{expires}",
            f"a releaser of {deployment.service.project.key} other than {deployment.requester or 'who asked'} approves",
            f"{deployment.get_absolute_url()}#approvals",
        )
    ]


def _holds(deployment: Deployment) -> list[Condition]:
    of_this = Q(environment=deployment.environment_id) | Q(release=deployment.release_id, release__isnull=False)
    rows = Hold.objects.filter(of_this, state=HoldState.HOLDING).select_related("release__service", "environment")
    return [
        Condition(
            "hold",
            False,
            f"{hold.held} is held: {hold.reason}",
            f"by {hold.by}",
            "a releaser lifts the hold, with a reason",
            f"{hold.held.get_absolute_url()}#holds",  # type: ignore[attr-defined]
        )
        for hold in rows.order_by("pk")
    ]


def _way(deployment: Deployment) -> list[Condition]:
    """One at a time: what is on its way there has the place to itself."""
    rows = Deployment.objects.filter(
        service=deployment.service_id, environment=deployment.environment_id, state__in=ACTIVE_STATES
    )
    other = rows.exclude(pk=deployment.pk).first()
    if other is None:
        return []
    return [
        Condition(
            "busy",
            False,
            f"Deployment {other.pk} is on its way there ({other.get_state_display().lower()})",
            lift=f"deployment {other.pk} ends",
            url=other.get_absolute_url(),
        )
    ]
