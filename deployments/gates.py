"""The gate: may this go there? A frozen verdict on the commit, approvals, holds; every reason with what lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from deployments import verdicts
from deployments.models import (
    ACTIVE_STATES,
    Approval,
    ApprovalState,
    Deployment,
    Hold,
    HoldState,
    Verdict,
)
from portal.core.access import Role
from reviews import decisions
from tickets.models import Membership

WAIVERS_SHOWN: Final = 20

# The gate ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that the gate asks for. ``lift`` says what would meet it, ``url`` leads there."""

    kind: str
    met: bool
    text: str
    detail: str = ""
    lift: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """``verdict`` is the answer of now, stored only where whoever asked stores it."""

    verdict: Verdict
    conditions: list[Condition]

    @property
    def is_open(self) -> bool:
        return self.verdict.go and all(condition.met for condition in self.conditions)


def look(deployment: Deployment) -> Gate:
    """All that is asked of ``deployment`` now."""
    verdict = verdicts.judge(deployment.service.project, deployment.release, environment=deployment.environment)
    return Gate(verdict, [*_waivers(deployment), *_approvals(deployment), *_holds(deployment), *_way(deployment)])


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
    """The approvals that count for their deployment: for its very plan, by others than who asked, who still may."""
    releasers = Membership.objects.filter(
        user=OuterRef("approver"), project=OuterRef("deployment__service__project"), role__gte=Role.RELEASER.value
    )
    rows = Approval.objects.filter(
        Q(approver__is_superuser=True) | Exists(releasers),
        approver__is_active=True,
        state=ApprovalState.GIVEN,
        target_digest=F("deployment__plan_digest"),
    )
    return rows.exclude(approver=F("deployment__requested_by"))


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
    return [
        Condition(
            "approvals",
            len(given) >= needed,
            f"{needed} approval{'' if needed == 1 else 's'}, not by who asked",
            f"{len(given)} of {needed}: {names}",
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
            str(hold.held.get_absolute_url()),  # type: ignore[attr-defined]
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
