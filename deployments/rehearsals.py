"""What a careful environment asks of migrations: a backup and a rehearsal before each, a way back, or a waiver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q

from deployments.conditions import Condition
from deployments.models import Deployment, StepKind, Waiver, WaiverKind
from portal.core.access import Role
from tickets.models import Membership

_ASKS: Final[dict[str, str]] = {
    WaiverKind.REHEARSAL: "Each migration has a backup and a rehearsal before it",
    WaiverKind.ONE_WAY: "Each migration names its way back",
}
_MENDS: Final[dict[str, str]] = {
    WaiverKind.REHEARSAL: "an owner puts a backup step and a rehearse step before it in the pipeline",
    WaiverKind.ONE_WAY: "an owner writes what undoes it into the pipeline",
}


# What a pipeline has --------------------------------------------------------------


def lacks(pipeline: Iterable[Mapping[str, Any]]) -> dict[WaiverKind, list[str]]:
    """What its migrations are without, in a sentence's part each; nothing where all is there."""
    seen: set[str] = set()
    found: dict[WaiverKind, list[str]] = {}
    for step in pipeline:
        if step["kind"] == StepKind.MIGRATE:
            wanted = ((StepKind.BACKUP, "backup step"), (StepKind.REHEARSE, "rehearse step"))
            without = [words for kind, words in wanted if kind not in seen]
            if without:
                found.setdefault(WaiverKind.REHEARSAL, []).append(f"{step['name']} has no {' and no '.join(without)}")
            if not step["undo"]:
                found.setdefault(WaiverKind.ONE_WAY, []).append(f"{step['name']} cannot come back")
        seen.add(step["kind"])
    return found


def warnings(pipeline: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to tell who writes such a pipeline: it may be, and some environments refuse it."""
    found = lacks(pipeline)
    told = []
    for name in found.get(WaiverKind.REHEARSAL, []):
        told.append(f"{name} before it: an environment that wants migrations rehearsed refuses it without a waiver.")
    for name in found.get(WaiverKind.ONE_WAY, []):
        told.append(f"{name}, since it names no undo: going back leaves its change in place.")
    return told


# At the gate ----------------------------------------------------------------------


def asked(deployment: Deployment) -> list[Condition]:
    """What the gate asks for here; nothing where the environment does not, or nothing migrates."""
    found = _lacking(deployment)
    waivers = {waiver.kind: waiver for waiver in counting(deployment)} if found else {}
    return [_condition(deployment, kind, names, waivers.get(kind)) for kind, names in found.items()]


def missing(deployment: Deployment) -> list[WaiverKind]:
    """The waivers that would meet what is asked and is not there."""
    return [WaiverKind(condition.kind) for condition in asked(deployment) if not condition.met]


def _lacking(deployment: Deployment) -> dict[WaiverKind, list[str]]:
    release = deployment.release
    if release is None or not deployment.environment.migrations_rehearsed:
        return {}
    return lacks(release.pipeline)


def _condition(deployment: Deployment, kind: WaiverKind, names: list[str], waiver: Waiver | None) -> Condition:
    said = "; ".join(names)
    detail = f"waived by {waiver.by_label}: {waiver.reason}" if waiver else said
    other = deployment.requester or "who asked"
    lift = f"{_MENDS[kind]}; or a releaser other than {other} waives it for this plan, with a reason"
    return Condition(kind, waiver is not None, _ASKS[kind], detail, lift, f"{deployment.get_absolute_url()}#waivers")


def counting(deployment: Deployment) -> list[Waiver]:
    """Those for this very release and plan, by others than who asked, who still may; the oldest first."""
    releasers = Membership.objects.filter(
        user=OuterRef("by"), project=deployment.service.project_id, role__gte=Role.RELEASER.value
    )
    rows = Waiver.objects.filter(
        Q(by__is_superuser=True) | Exists(releasers),
        by__is_active=True,
        deployment=deployment,
        release=deployment.release,
        target_digest=deployment.plan_digest,
    )
    return list(rows.exclude(by=deployment.requested_by_id).order_by("pk"))
