"""The plan of a deployment, both ways, as rows before the first step: what runs, and what would bring it back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from deployments import intake
from deployments.models import Deployment, Phase, Placement, Release, Step, StepKind, StepState

_NAMED: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class UnknownVariable(Exception):
    """An address names a variable that the environment has not; the message says which."""


def standing_release(deployment: Deployment) -> Release | None:
    """What stands where this one goes; None for nothing, or where nobody knows."""
    rows = Placement.objects.filter(service=deployment.service_id, environment=deployment.environment_id)
    found = rows.select_related("release__service").first()
    return found.release if found else None


def standing_elsewhere(deployment: Deployment) -> set[str]:
    """The commits of its service that stand in other environments."""
    rows = Placement.objects.filter(service=deployment.service_id, release__isnull=False)
    return set(rows.exclude(environment=deployment.environment_id).values_list("release__commit", flat=True))


def make(deployment: Deployment, release: Release) -> dict[str, Any]:
    """Write the steps, in place of an older plan's; returns the columns of the deployment that belong to them.

    Nothing is written, and nothing returned, where the plan is what it was.
    Raises ``UnknownVariable`` before anything is written. Call it in the
    transaction that writes the columns.
    """
    previous = standing_release(deployment)
    steps = steps_of(deployment, release, previous)
    digest = digest_of(deployment, release, previous, steps)
    if digest == deployment.plan_digest:
        return {}
    Step.objects.filter(deployment=deployment).delete()
    Step.objects.bulk_create(steps)
    return {"previous": previous, "plan_digest": digest, "variables": deployment.environment.variables}


def steps_of(deployment: Deployment, release: Release, previous: Release | None) -> list[Step]:
    """The steps forward, then those back: what was done is undone from its end, then the previous release returns."""
    variables: Mapping[str, str] = deployment.environment.variables
    forward = [_step(spec, release, variables, Phase.FORWARD) for spec in release.pipeline]
    back: list[Step] = []
    for number, spec in reversed(list(enumerate(release.pipeline, start=1))):
        if spec["undo"]:
            undo = {"kind": StepKind.COMMAND, "name": f"Undo: {spec['name']}", "command": spec["undo"]}
            step = _step({**spec, **intake.DETAILS, **undo, "probe": [], "url": ""}, release, variables, Phase.BACK)
            step.undoes = number
            back.append(step)
    if previous is not None:
        returning = [spec for spec in previous.pipeline if spec["again"] and spec["kind"] in intake.AGAIN]
        back += [_step(spec, previous, variables, Phase.BACK) for spec in returning]
    steps = [*forward, *back]
    for n, step in enumerate(steps, start=1):
        step.deployment, step.n = deployment, n
    return steps


def _step(spec: Mapping[str, Any], release: Release, variables: Mapping[str, str], phase: Phase) -> Step:
    return Step(
        phase=phase,
        kind=spec["kind"],
        name=spec["name"],
        command=spec["command"],
        probe=spec["probe"],
        url=filled(spec["url"], variables),
        instructions=spec["instructions"],
        wall_seconds=spec["wall_seconds"],
        commit=release.commit,
        state=StepState.WAITING,
        **intake.details_of(spec),
    )


def filled(url: str, variables: Mapping[str, str]) -> str:
    """The address with the environment's values in it. Raises ``UnknownVariable``."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise UnknownVariable(f"The address {url} names {{{match[1]}}}, which is no variable of the environment.")
        return str(variables[match[1]])

    return _NAMED.sub(value, url)


def digest_of(deployment: Deployment, release: Release, previous: Release | None, steps: list[Step]) -> str:
    """Of all that an approval is about: this deployment; what, over what, by which steps, with which variables."""
    content = [
        deployment.pk,
        release.digest,
        previous.digest if previous else "",
        deployment.environment.variables,
        [_told(step) for step in steps],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _told(step: Step) -> list[Any]:
    details = intake.told({name: getattr(step, name) for name in intake.DETAILS})
    own = [step.n, step.phase, step.kind, step.command, step.probe, step.url, step.instructions]
    return [*own, details] if details else own


def cannot_be_undone(release: Release) -> list[str]:
    """The steps that change what outlives the release, and name no way back."""
    return [spec["name"] for spec in release.pipeline if spec["kind"] == StepKind.MIGRATE and not spec["undo"]]
