"""Deployments that wait for a person, by kind: the page of what needs somebody lists them, the frame counts them."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from deployments import authorship, gates
from deployments.models import (
    ENDED_STATES,
    Deployment,
    DeploymentState,
    Hold,
    HoldState,
    Interruption,
    InterruptionState,
    Placement,
)
from portal.core.access import Role
from portal.core.models import User
from tickets.rights import project_ids

_S = DeploymentState


def _within(rows: QuerySet[Deployment], projects: set[int] | None) -> QuerySet[Deployment]:
    return rows if projects is None else rows.filter(service__project__in=projects)


def to_approve(person: User | AnonymousUser) -> QuerySet[Deployment]:
    """Those that wait for an approval which ``person`` can give: a releaser who neither asked nor wrote it."""
    given = gates.counting().filter(deployment=OuterRef("pk"))
    counted = given.order_by().values("deployment").annotate(number=Count("pk")).values("number")
    rows = Deployment.objects.filter(state=_S.WAITING, environment__approvals_needed__gt=0)
    rows = rows.annotate(given=Coalesce(Subquery(counted), 0))
    rows = rows.filter(~Exists(given.filter(approver=person.pk)), given__lt=F("environment__approvals_needed"))
    rows = rows.exclude(requested_by=person.pk).filter(authorship.not_written_by(person))
    return _within(rows, project_ids(person, Role.RELEASER))


def interrupted(projects: set[int] | None) -> QuerySet[Deployment]:
    """``asks`` is the name of the step that asks."""
    open_one = Interruption.objects.filter(deployment=OuterRef("pk"), state=InterruptionState.OPEN)
    rows = Deployment.objects.filter(state=_S.INTERRUPTED)
    return _within(rows.annotate(asks=Subquery(open_one.values("step__name")[:1])), projects)


def held(projects: set[int] | None) -> QuerySet[Deployment]:
    """Those whose gate is closed by a finding or a hold, and refused ones that nothing followed."""
    holds = Hold.objects.filter(state=HoldState.HOLDING)
    on_place = holds.filter(environment=OuterRef("environment"))
    on_release = holds.filter(release=OuterRef("release"))
    waiting = Q(state=_S.WAITING) & (Q(verdict__go=False) | Q(Exists(on_place)) | Q(Exists(on_release)))
    return _within(Deployment.objects.filter(waiting | Q(~Exists(_later()), state=_S.REFUSED)), projects)


def fallen(projects: set[int] | None) -> QuerySet[Deployment]:
    """Those that failed or were rolled back, and that nothing followed."""
    ended = Deployment.objects.filter(~Exists(_later()), state__in=[_S.FAILED, _S.ROLLED_BACK])
    return _within(ended, projects)


def degraded(projects: set[int] | None) -> QuerySet[Placement]:
    """What stands somewhere and is not what was deployed there any more, as it answers itself."""
    rows = Placement.objects.filter(degraded_at__isnull=False, release__isnull=False)
    return rows if projects is None else rows.filter(service__project__in=projects)


def under_way(projects: set[int] | None) -> QuerySet[Deployment]:
    """Those that have not ended, and refused ones that nothing followed."""
    rows = Deployment.objects.filter(~Q(state__in=ENDED_STATES) | Q(~Exists(_later()), state=_S.REFUSED))
    return _within(rows, projects)


def _later() -> QuerySet[Deployment]:
    return Deployment.objects.filter(
        service=OuterRef("service"), environment=OuterRef("environment"), id__gt=OuterRef("id")
    )
