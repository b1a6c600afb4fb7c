"""Preparing: what was asked for becomes a commit, a release and a plan; then the gate is asked."""

from __future__ import annotations

from typing import Any

from deployments import commits, plans, releases, requesting, telling
from deployments.commits import Commit
from deployments.models import Deployment, DeploymentState, Release, StepKind
from deployments.transitions import DEPLOYMENT
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from workers.claims import Claim
from workers.kinds import Ending


def run(claim: Claim) -> Commit | None:
    """The handler of kind "deployment.prepare": it looks, and writes nothing; None where it was cancelled meanwhile."""
    deployment = _deployment(claim.payload)
    if deployment is None or deployment.state != DeploymentState.PREPARING:
        return None
    standing = plans.standing_release(deployment)
    return commits.resolve(
        deployment.service.project,
        deployment.asked,
        before=standing.commit if standing else "",
        elsewhere=plans.standing_elsewhere(deployment),
    )


def settle(ending: Ending) -> None:
    deployment = _deployment(ending.payload)
    if deployment is None or deployment.state != DeploymentState.PREPARING:
        return
    if isinstance(ending.result, Commit):
        _plan(deployment, ending.result)
    elif ending.final:
        _refuse(deployment, (ending.error.strip().splitlines() or ["It ended without a word."])[-1])


def _plan(deployment: Deployment, commit: Commit) -> None:
    release = releases.build(deployment.service, commit)
    if problem := _cannot_run(release):
        _refuse(deployment, problem)
        return
    try:
        plan = plans.make(deployment, release)
    except plans.UnknownVariable as unknown:
        _refuse(deployment, str(unknown))
        return
    DEPLOYMENT.move(
        deployment,
        "wait",
        release=release,
        commit=release.commit,
        changes=commits.changed(commit, plan["previous"]),
        expires_at=Wall(deployment.environment.wait_hours * 3600),
        **plan,
    )
    gate = requesting.look_again(deployment)
    if any(condition.kind == "approvals" and not condition.met for condition in gate.conditions):
        telling.waits_for_approval(deployment)


def _cannot_run(release: Release) -> str:
    if not release.commit and any(spec["kind"] == StepKind.HEALTH for spec in release.pipeline):
        return "A health step waits until the service reports the deployed commit: name a commit."
    return ""


def _refuse(deployment: Deployment, said: str) -> None:
    DEPLOYMENT.move(deployment, "refuse", reason=said, why=said[:500], ended_at=Wall())
    telling.ended(deployment, "refuse")


def _deployment(payload: dict[str, Any]) -> Deployment | None:
    rows = Deployment.objects.select_related("service__project", "environment")
    return rows.filter(pk=payload["deployment"]).first()


def requeued(subject: str, payload: dict[str, Any]) -> None:
    """Preparing that ended is over: the deployment was refused, and another is asked for."""
    raise Refused("The deployment was refused when its preparing ended. Ask for it again on its page.")
