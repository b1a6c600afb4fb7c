"""Asking for a deployment, its wait at the gate, and its end before the start."""

from __future__ import annotations

from typing import Any

import structlog
from django.db.models import Q

from deployments import authorship, commits, gates, plans, step_jobs, telling, verdicts
from deployments.commits import Commit
from deployments.gates import Gate
from deployments.models import (
    Deployment,
    DeploymentState,
    Environment,
    PipelineStep,
    Service,
)
from deployments.transitions import DEPLOYMENT
from portal.core import cause as causes
from portal.core.cause import Actor
from portal.core.clock import Wall
from portal.core.lifecycle import NotAllowedNow, Refused, Stale, amend
from portal.core.models import User
from portal.core.unit import unit_of_work
from workers import failures

log = structlog.get_logger(__name__)
LOOKED_AT = 100
CLOCK = Actor("clock", "", "the clock")


def request(service: Service, environment: Environment, *, asked: str = "", by: User | None = None) -> Deployment:
    """Ask for a commit, branch or tag of ``service`` in ``environment``; empty: the target branch.

    A worker looks it up, makes the release and the plan; then it waits at its
    gate. The same request again before that is the same deployment. Raises
    ``Refused``.
    """
    if service.project_id != environment.project_id:
        raise Refused(f"{service} and {environment} are of different projects.")
    with unit_of_work() as work:
        # The service's lock orders two clicks: the second finds what the first made.
        Service.objects.select_for_update().get(pk=service.pk)
        if not PipelineStep.objects.filter(service=service).exists():
            raise Refused(f"{service} has no steps yet. An owner of {service.project.key} adds them.")
        twin = _twin(service, environment, asked, by)
        if twin is not None:
            return twin
        deployment = Deployment.objects.create(
            service=service,
            environment=environment,
            asked=asked,
            requested_by=by,
            requester=str(by or causes.current().actor.label)[:254],
            state=DeploymentState.PREPARING,
        )
        after = {"service": service.name, "environment": environment.name, "asked": asked}
        work.record("deployment.requested", deployment.subject, after=after)
        DEPLOYMENT.announce(deployment)
        step_jobs.prepare(deployment)
    return deployment


def _twin(service: Service, environment: Environment, asked: str, by: User | None) -> Deployment | None:
    """What the first of two clicks made. Once it was looked up, the same words may mean another commit."""
    rows = Deployment.objects.filter(service=service, environment=environment, asked=asked, requested_by=by)
    return rows.filter(state=DeploymentState.PREPARING).order_by("-id").first()


def cancel(deployment: Deployment, *, expected_version: int, reason: str) -> Deployment:
    """End one that has not started. Raises ``Refused``."""
    with unit_of_work():
        DEPLOYMENT.move(
            deployment, "cancel", expected_version=expected_version, reason=reason, why=reason[:500], ended_at=Wall()
        )
        telling.ended(deployment, "cancel")
    return deployment


# At the gate --------------------------------------------------------------------


def look_again(deployment: Deployment) -> Gate:
    """Ask the gate anew; where it is open, queue the first step.

    A verdict that went stale is followed by one of now. Whoever else looks at
    the same time does no harm: the first who opens it wins.
    """
    with unit_of_work():
        # Its own row before the rows of its steps, as whoever starts it takes them.
        rows = Deployment.objects.select_for_update(no_key=True).filter(pk=deployment.pk)
        waits = rows.values_list("state", flat=True).first() == DeploymentState.WAITING
        if waits:
            # The clock, or whoever approved, may have judged it since this row was read.
            deployment.refresh_from_db()
        changes = _planned_again(deployment) if waits else {}
        gate = gates.look(deployment)
        if not waits:
            return gate
        if deployment.verdict is None or verdicts.is_stale(deployment.verdict, gate.verdict):
            gate.verdict.save(force_insert=True)
            changes["verdict"] = gate.verdict
        if gate.is_open:
            DEPLOYMENT.move(deployment, "open", **changes)
            step_jobs.first(deployment)
        elif changes:
            amend(deployment, DEPLOYMENT, "judged", expected_version=deployment.version, **changes)
    return gate


def _planned_again(deployment: Deployment) -> dict[str, Any]:
    """Columns of a new plan, where something else stands there by now, or the environment's variables are others.

    Approvals of the old plan count no more.
    """
    if deployment.release is None:
        return {}
    changes = plans.make(deployment, deployment.release)
    if changes:
        # The gate looks at the plan that is written with its answer.
        deployment.plan_digest = changes["plan_digest"]
        held = Commit(deployment.commit, merges=frozenset(deployment.release.merges))
        changes["changes"] = commits.changed(held, changes["previous"]) | authorship.kept(deployment.changes)
    return changes


# Where the clock goes on: more may wait than one tick looks at.
_looked_at = 0


def look_at_waiting() -> int:
    """What the clock does with every tick: look at those that wait, in turns; refuse those whose time is over."""
    global _looked_at
    rows = Deployment.objects.filter(state=DeploymentState.WAITING).order_by("id")
    rows = rows.select_related("service__project", "environment", "release__service", "previous__service", "verdict")
    found = list(rows.filter(pk__gt=_looked_at)[:LOOKED_AT])
    if len(found) < LOOKED_AT:
        found += list(rows.filter(pk__lte=_looked_at)[: LOOKED_AT - len(found)])
    for deployment in found:
        _looked_at = deployment.pk
        with causes.acting(CLOCK, because="gate"):
            _look_at(deployment)
    return len(found)


def _look_at(deployment: Deployment) -> None:
    try:
        if not _expire(deployment):
            look_again(deployment)
    except (NotAllowedNow, Stale):
        # Somebody else moved it meanwhile; the next tick sees what it is now.
        return
    except plans.UnknownVariable as unknown:
        with unit_of_work():
            DEPLOYMENT.move(deployment, "refuse", reason=str(unknown), why=str(unknown)[:500], ended_at=Wall())
            telling.ended(deployment, "refuse")
    except Exception as problem:
        # One that cannot be judged must not keep the others waiting.
        log.exception("gate_failed", deployment=deployment.pk)
        if failures.is_outage(problem):
            raise


def _expire(deployment: Deployment) -> bool:
    over = Q(expires_at__lte=Wall())
    if not Deployment.objects.filter(over, pk=deployment.pk).exists():
        return False
    said = f"The gate was not open within {deployment.environment.wait_hours} hours."
    with unit_of_work():
        DEPLOYMENT.move(deployment, "refuse", reason=said, where=over, why=said, ended_at=Wall())
        telling.ended(deployment, "refuse")
    return True
