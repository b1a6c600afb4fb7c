"""The gate: may this go there? A frozen verdict on the commit, approvals, holds; every reason with what lifts it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from deployments.models import (
    ACTIVE_STATES,
    Approval,
    ApprovalState,
    Deployment,
    Hold,
    HoldState,
    Policy,
    Release,
    Verdict,
)
from portal.core.access import Role
from portal.core.clock import Wall
from reviews.models import Edge, Evidence, Finding, FindingState, Severity
from tickets.models import Membership, Merge, Project

# Of every project that has no policy of its own: one critical finding is enough.
HOLDING: Final = (Severity.CRITICAL,)
VALID_HOURS: Final = 24
REASONS_SHOWN: Final = 50


# The verdict ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that a verdict is made by; ``number`` 0 is the installation's own."""

    number: int
    severities: tuple[str, ...]
    valid_hours: int


def policy_of(project: Project) -> InForce:
    found = Policy.objects.filter(project=project).order_by("-number").first()
    if found is None:
        return InForce(0, tuple(str(severity) for severity in HOLDING), VALID_HOURS)
    return InForce(found.number, tuple(found.severities), found.valid_hours)


def judge(project: Project, release: Release | None = None) -> Verdict:
    """Look at the findings now: the answer for the release's commit, not stored yet.

    A finding of a severity that the policy names holds while it is open, and
    while it is fixed by accepted work that the commit does not hold.
    """
    policy = policy_of(project)
    rows = Finding.objects.filter(
        series__project=project,
        severity__in=policy.severities,
        state__in=[FindingState.OPEN, FindingState.FIXED],
    )
    fixes = _fixes(project, policy)
    held = _commits_in(release)
    seen: list[list[Any]] = []
    reasons: list[dict[str, Any]] = []
    blocking: list[int] = []
    for finding in rows.select_related("ticket").order_by("pk"):
        commits = fixes.get(finding.pk, [])
        elsewhere = finding.state == FindingState.FIXED and bool(commits) and not held.intersection(commits)
        seen.append([finding.pk, finding.version, elsewhere])
        if finding.state == FindingState.OPEN or elsewhere:
            blocking.append(finding.pk)
            if len(reasons) < REASONS_SHOWN:
                reasons.append(_reason(finding, commits[0] if elsewhere else "", release))
    return Verdict(
        project=project,
        commit=release.commit if release else "",
        policy=policy.number,
        digest=hashlib.sha256(json.dumps([policy.number, seen]).encode()).hexdigest(),
        go=not blocking,
        blocking=blocking,
        reasons=reasons,
        valid_until=Wall(policy.valid_hours * 3600),
    )


def _fixes(project: Project, policy: InForce) -> dict[int, list[str]]:
    """The commits that hold the accepted work on each fixed finding, the newest first."""
    rows = Evidence.objects.filter(
        edge=Edge.COMMIT,
        finding__series__project=project,
        finding__state=FindingState.FIXED,
        finding__severity__in=policy.severities,
    )
    found: dict[int, list[str]] = {}
    for finding, ref in rows.order_by("-at", "-pk").values_list("finding", "ref"):
        found.setdefault(finding, []).append(ref)
    return found


def _commits_in(release: Release | None) -> set[str]:
    if release is None:
        return set()
    return set(Merge.objects.filter(pk__in=release.merges).values_list("merged_commit", flat=True))


def _reason(finding: Finding, elsewhere: str, release: Release | None) -> dict[str, Any]:
    name = finding.reference or finding.title
    ticket = finding.ticket.key if finding.ticket else ""
    if elsewhere:
        commit = release.short if release else ""
        text = f"{name} is fixed in {elsewhere[:9]}, which {commit or 'this commit'} does not hold: {finding.title}"
        lift = "deploy a commit that holds the fix"
    else:
        text = f"{name} is open ({finding.severity}): {finding.title}"
        lift = f"accept {ticket}, or answer the finding" if ticket else "make it a ticket, or answer it"
    return {"finding": finding.pk, "text": text, "lift": lift, "ticket": ticket}


def is_stale(verdict: Verdict, now: Verdict) -> bool:
    """Whether ``now``, just judged, saw something else, or the verdict's time is over."""
    over = verdict.pk is not None and Verdict.objects.filter(pk=verdict.pk, valid_until__lte=Wall()).exists()
    return verdict.digest != now.digest or over


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
    verdict = judge(deployment.service.project, deployment.release)
    return Gate(verdict, [*_approvals(deployment), *_holds(deployment), *_way(deployment)])


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
