"""One step, as a worker does it: a command in the files of its commit, or asking a service for its health."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from deployments import checkouts, commits, probing, rollout, telling
from deployments.models import DeploymentState, HealthCheck, Step, StepKind, StepState
from deployments.transitions import DEPLOYMENT, STEP
from portal.core import limits
from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.lifecycle import Refused
from portal.core.storable import storable
from workers import children
from workers.children import ChildResult, Command
from workers.claims import Claim
from workers.kinds import Ending
from workers.models import Outcome

# Of a long wait for health: how it began, and how it ended.
CHECKS_KEPT: Final = 100
PROBE_WALL_SECONDS: Final = 60
_LIVE: Final = {DeploymentState.QUEUED, DeploymentState.RUNNING, DeploymentState.ROLLING_BACK}


@dataclass(frozen=True, slots=True)
class Result:
    """How a step went: the job is done either way; whether the deployment goes on is another question."""

    right: bool
    message: str = ""
    exit_code: int | None = None
    checks: tuple[dict[str, Any], ...] = ()


def run(claim: Claim) -> Result | None:
    """The handler of kind "deployment.step"; None where nothing was to do: the gate closed, or it was cancelled."""
    step = _step(claim.payload)
    if step is None or step.deployment.state not in _LIVE or step.state not in {StepState.WAITING, StepState.RUNNING}:
        # It was cancelled, or answered otherwise, before a worker came to it.
        return None
    # Before the step counts as begun: what fails here has changed nothing.
    starts = step.deployment.state == DeploymentState.QUEUED
    merges = commits.merges_in(step.deployment.service.project, step.deployment.commit) if starts else frozenset[int]()
    place = checkouts.place_of(step)
    began = step.attempt is not None and step.attempt.job_id == claim.job_id
    if not _start(claim, step, merges):
        return None
    reach(Failpoint.AFTER_STEP_START)
    if step.kind == StepKind.HEALTH:
        return _ask_for_health(claim, step, place)
    if began:
        children.recover(claim)
        if not step.probe:
            return Result(False, "A worker was lost in this step: what it did is not known. Look, then decide.")
        probe = _child(claim, step, place, step.probe, PROBE_WALL_SECONDS, name="probe")
        if probe.record.exit_code == 0:
            return Result(True, "A worker was lost in this step; its probe says that it is done.", 0)
    return _command(claim, step, place)


def _start(claim: Claim, step: Step, merges: frozenset[int]) -> bool:
    with claim.fenced():
        if step.deployment.state == DeploymentState.QUEUED and not rollout.start(step.deployment, merges):
            return False
        reach(Failpoint.IN_DEPLOYMENT_START)
        if step.kind == StepKind.MANUAL:
            # Only the first step comes here: it takes a worker to start, and a person to go on.
            rollout.ask(step)
            return False
        if step.state == StepState.WAITING:
            STEP.move(
                step, "start", attempt_id=claim.attempt_id, started_at=Wall(), ended_at=None, message="", exit_code=None
            )
        else:
            Step.objects.filter(pk=step.pk).update(attempt_id=claim.attempt_id)
    return True


def _command(claim: Claim, step: Step, place: Path) -> Result:
    result = _child(claim, step, place, step.command, _seconds(step))
    record = result.record
    if record.ended_by in {"wall_limit", "silence_limit"}:
        return Result(False, f"It took longer than {_seconds(step)} s and was ended.", record.exit_code)
    if record.exit_code != 0:
        return Result(False, record.message or f"Exit code {record.exit_code}.", record.exit_code)
    return Result(True, "", 0)


def _seconds(step: Step) -> int:
    return step.wall_seconds or limits.value("STEP_WALL_SECONDS")


def _child(
    claim: Claim, step: Step, place: Path, argv: Sequence[str], seconds: int, *, name: str = children.STORED
) -> ChildResult:
    command = Command(argv=tuple(argv), cwd=place, env=environment_of(step), wall_seconds=seconds)
    result = children.run(claim, command, name=name, stored=name == children.STORED)
    reach(Failpoint.AFTER_STEP_COMMAND)
    result.forget()
    return result


def environment_of(step: Step) -> dict[str, str]:
    """What a command is told: what goes where, over what, and the environment's own variables."""
    deployment = step.deployment
    variables = {name: str(value) for name, value in deployment.variables.items()}
    return (
        children.allowed_environment([])
        | variables
        | {
            "SHIPROOM_PROJECT": deployment.service.project.key,
            "SHIPROOM_SERVICE": deployment.service.name,
            "SHIPROOM_ENVIRONMENT": deployment.environment.name,
            "SHIPROOM_DEPLOYMENT": str(deployment.pk),
            # the same for each attempt at this step: what it starts elsewhere can be told apart by it
            "SHIPROOM_STEP": f"{deployment.pk}/{step.n}",
            "SHIPROOM_COMMIT": step.commit,
            "SHIPROOM_PREVIOUS_COMMIT": deployment.previous.commit if deployment.previous else "",
            "SHIPROOM_REPOSITORY": deployment.service.project.repository,
        }
    )


# Health ---------------------------------------------------------------------------


def _ask_for_health(claim: Claim, step: Step, place: Path) -> Result:
    records = place.parent / f".health-{secrets.token_hex(8)}.jsonl"
    row, pause = limits.value("HEALTH_ANSWERS"), limits.value("HEALTH_PAUSE_SECONDS")
    argv = [sys.executable, "-I", probing.__file__, step.url, step.commit, str(row), str(pause), str(records)]
    try:
        result = _child(claim, step, place, argv, step.wall_seconds or limits.value("HEALTH_WALL_SECONDS"))
        checks = _read(records)
    finally:
        records.unlink(missing_ok=True)
    if result.record.exit_code == 0:
        return Result(True, f"{row} answers in a row reported {step.commit[:9]}.", 0, checks)
    last = checks[-1]["detail"] if checks else result.record.message
    return Result(False, f"It never reported {step.commit[:9]} {row} times in a row. At last: {last}.", None, checks)


def _read(records: Path) -> tuple[dict[str, Any], ...]:
    """The answers that are kept. A line that was cut by the end is none."""
    try:
        lines = records.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for n, line in enumerate(lines, start=1):
        if n <= CHECKS_KEPT // 2 or n > len(lines) - CHECKS_KEPT // 2:
            try:
                found.append({"n": n, **json.loads(line)})
            except ValueError:
                continue
    return tuple(found)


# The end of a step's job --------------------------------------------------------------


def settle(ending: Ending) -> None:
    """Move the step with the attempt that ended, and the deployment with the step."""
    step = _step(ending.payload)
    if step is None or step.deployment.state not in _LIVE:
        return
    if isinstance(ending.result, Result):
        _settle(step, ending.result)
    elif ending.outcome is Outcome.SUCCEEDED:
        return
    elif not ending.final:
        if step.state == StepState.RUNNING:
            STEP.move(step, "wait_again", reason=ending.error[:300])
    else:
        said = (ending.error.strip().splitlines() or ["It ended without a word."])[-1]
        if step.deployment.state == DeploymentState.QUEUED:
            why = f"It could not be started: {said}"
            DEPLOYMENT.move(step.deployment, "refuse", reason=why, why=why[:500], ended_at=Wall())
            telling.ended(step.deployment, "refuse")
        else:
            rollout.failed(step, said, stopped=ending.outcome is Outcome.CANCELLED)


def _settle(step: Step, result: Result) -> None:
    message = storable(result.message)[:300]
    HealthCheck.objects.filter(step=step).delete()
    HealthCheck.objects.bulk_create([_check(step, check) for check in result.checks])
    if not result.right:
        rollout.failed(step, message, stopped=False, exit_code=result.exit_code)
        return
    STEP.move(step, "succeed", exit_code=result.exit_code, message=message, ended_at=Wall())
    rollout.advance(step.deployment)
    reach(Failpoint.IN_STEP_SETTLE)


def _check(step: Step, check: dict[str, Any]) -> HealthCheck:
    return HealthCheck(
        step=step,
        n=check["n"],
        right=check["right"],
        status=check["status"],
        reported=storable(check["reported"]),
        detail=storable(check["detail"]),
        milliseconds=check["milliseconds"],
        at=datetime.fromisoformat(check["at"]),
    )


def requeued(subject: str, payload: dict[str, Any]) -> None:
    """A step goes on by its deployment's page, where the reason is asked for; its old job is over."""
    raise Refused("A step is tried again on the page of its deployment.")


def _step(payload: dict[str, Any]) -> Step | None:
    rows = Step.objects.select_related(
        "deployment__service__project",
        "deployment__environment",
        "deployment__release__service",
        "deployment__previous__service",
        "attempt",
    )
    return rows.filter(deployment_id=payload["deployment"], n=payload["step"]).first()
