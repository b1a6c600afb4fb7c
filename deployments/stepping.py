"""One step, as a worker does it: a command in the files of its commit, a question to an address, a pause."""

from __future__ import annotations

from typing import Any, Final

from deployments import checkouts, commits, rollout, step_commands, step_jobs, step_questions, telling
from deployments.intake import ASKING
from deployments.models import DeploymentState, Step, StepKind, StepState
from deployments.results import Later, Result
from deployments.transitions import DEPLOYMENT, STEP
from portal.core import clock
from portal.core.clock import Wall
from portal.core.failpoints import Failpoint, reach
from portal.core.lifecycle import Refused
from portal.core.storable import storable
from workers import failures
from workers.claims import Claim
from workers.kinds import Ending
from workers.models import Outcome

_LIVE: Final = {DeploymentState.QUEUED, DeploymentState.RUNNING, DeploymentState.ROLLING_BACK}
_OPEN: Final = {StepState.WAITING, StepState.RUNNING}


def run(claim: Claim) -> Result | Later | None:
    """The handler of kind "deployment.step"; None where nothing was to do: the gate closed, or it was cancelled."""
    step = _step(claim.payload)
    if step is None or step.deployment.state not in _LIVE or step.state not in _OPEN:
        # It was cancelled, or answered otherwise, before a worker came to it.
        return None
    # Before the step counts as begun: what fails here has changed nothing.
    starts = step.deployment.state == DeploymentState.QUEUED
    merges = commits.merges_in(step.deployment.service.project, step.deployment.commit) if starts else frozenset[int]()
    place = checkouts.place_of(step)
    began = step.attempt is not None and step.attempt.job_id == claim.job_id
    if not _start(claim, step, merges, again=began):
        return None
    reach(Failpoint.AFTER_STEP_START)
    if step.kind == StepKind.WAIT:
        return _pause(step)
    if step.kind in ASKING:
        return step_questions.ask(claim, step, place)
    return step_commands.carry_out(claim, step, place, lost=began)


def _start(claim: Claim, step: Step, merges: frozenset[int], *, again: bool) -> bool:
    with claim.fenced():
        if step.deployment.state == DeploymentState.QUEUED:
            if not rollout.start(step.deployment, merges):
                return False
        elif step.state == StepState.WAITING and not again and rollout.held_at_gate(step):
            # It closed while the step waited for a worker. One that began is looked at first, whatever the gate says.
            return False
        reach(Failpoint.IN_DEPLOYMENT_START)
        if step.kind == StepKind.MANUAL:
            # Only the first step comes here: it takes a worker to start, and a person to go on.
            rollout.ask(step)
            return False
        if step.state == StepState.WAITING:
            begun: dict[str, Any] = {"started_at": Wall(), "ended_at": None, "due_at": None, "message": ""}
            if step.kind == StepKind.WAIT:
                # A pause that an earlier worker began ends when it said.
                begun["due_at"] = step.due_at or Wall(step.pause_seconds)
            STEP.move(step, "start", attempt_id=claim.attempt_id, exit_code=None, **begun)
        else:
            Step.objects.filter(pk=step.pk).update(attempt_id=claim.attempt_id)
    return True


# A pause ------------------------------------------------------------------------------


def _pause(step: Step) -> Result | Later:
    """Nobody is kept waiting: when the pause ends is in the row, and the job that comes then goes on."""
    step.refresh_from_db(fields=["due_at"])
    assert step.due_at is not None
    left = (step.due_at - clock.now()).total_seconds()
    return Later(left) if left > 0 else Result(True, f"Waited {step.pause_seconds:,} s.")


# The end of a step's job --------------------------------------------------------------


def settle(ending: Ending) -> None:
    """Move the step with the attempt that ended, and the deployment with the step."""
    step = _step(ending.payload)
    if step is None or step.deployment.state not in _LIVE or step.state not in _OPEN:
        # Somebody said meanwhile how it goes on.
        return
    if isinstance(ending.result, Result):
        _settle(step, ending.result)
    elif isinstance(ending.result, Later):
        step_jobs.enqueue(step, delay_seconds=ending.result.seconds)
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
    step_questions.keep(step, result.checks)
    if not result.right:
        if result.again and step.retried < step.retries:
            _go_again(step, message, result.exit_code)
            return
        rollout.failed(step, message, stopped=False, exit_code=result.exit_code)
        return
    STEP.move(step, "succeed", exit_code=result.exit_code, message=message, ended_at=Wall())
    rollout.advance(step.deployment)
    reach(Failpoint.IN_STEP_SETTLE)


def _go_again(step: Step, said: str, exit_code: int | None) -> None:
    """Its pipeline gives it more goes: the next is a job of its own, later each time, and this one stays readable."""
    delay = failures.backoff_seconds(Outcome.FAILED, step.retried)
    STEP.move(
        step,
        "wait_again",
        reason=said,
        message=said,
        exit_code=exit_code,
        retried=step.retried + 1,
        due_at=Wall(delay),
        ended_at=Wall(),
    )
    step_jobs.enqueue(step, delay_seconds=delay)


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
