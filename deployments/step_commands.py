"""The commands of a step: its own, the probe that examines it, and what proves it or prints what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deployments import structures
from deployments.models import Step, StepKind, When
from deployments.results import Result
from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from portal.core.redaction import redact
from portal.core.storable import storable
from workers import children
from workers.children import ChildResult, Command
from workers.claims import Claim

PROBE_WALL_SECONDS: Final = 60
# Of what a command wrote, so much of its end is looked at for its last line.
_END_BYTES: Final = 4096
_LINE_CHARS: Final = 200
_LOST: Final = "A worker was lost in this step"
# What proves itself, or at least tells what it found, by the last line of its output.
_TELLING: Final = (StepKind.BACKUP, StepKind.REHEARSE)


def carry_out(claim: Claim, step: Step, place: Path, *, lost: bool) -> Result:
    """Run the step's command in ``place``. ``lost``: an earlier attempt of this job was in it when its worker died.

    What may have had its effect already is examined first, where the step has
    a probe; where a worker was lost and there is none, a person has to look.
    """
    examined = ""
    if lost:
        children.recover(claim)
    if (lost or step.retried) and step.probe:
        probe = _run(claim, step, place, step.probe, PROBE_WALL_SECONDS, name="probe")
        probe.forget()
        if probe.record.exit_code == 0:
            examined = f"{_LOST if lost else 'It failed before'}; its probe says that it is done."
    elif lost:
        return Result(False, f"{_LOST}: what it did is not known. Look, then decide.", again=False)
    result = Result(True, examined, 0) if examined else _command(claim, step, place)
    return _afterwards(claim, step, place, result) if result.right else result


def _command(claim: Claim, step: Step, place: Path) -> Result:
    if problem := _print_structure(claim, step, place, When.BEFORE):
        return Result(False, f"{problem} Nothing was migrated.")
    result = _run(claim, step, place, step.command, seconds_of(step))
    reach(Failpoint.AFTER_STEP_COMMAND)
    line = last_line(result.stdout) if step.kind in _TELLING else ""
    result.forget()
    if problem := _problem(result, seconds_of(step)):
        return Result(False, f"{problem} {line}".strip(), result.record.exit_code)
    if step.kind == StepKind.BACKUP and not line:
        return Result(False, "It printed nothing: a backup says in its last line what it made.", 0)
    return Result(True, line, 0)


def _afterwards(claim: Claim, step: Step, place: Path, result: Result) -> Result:
    """What belongs to a step whose own command is done."""
    if step.verify:
        verified = _run(claim, step, place, step.verify, seconds_of(step), name="verify")
        line = last_line(verified.stdout) or last_line(verified.stderr)
        verified.forget()
        if problem := _problem(verified, seconds_of(step)):
            said = f"The backup is made, but its restore was rehearsed and failed: {problem} {line}"
            return Result(False, said.strip(), verified.record.exit_code)
        return Result(True, f"{result.message} Its restore was rehearsed: {line or 'exit code 0'}".strip(), 0)
    if problem := _print_structure(claim, step, place, When.AFTER):
        # It is migrated: that this is not seen makes it no less done.
        return Result(True, f"{result.message} {problem}".strip(), result.exit_code)
    return result


def _print_structure(claim: Claim, step: Step, place: Path, when: When) -> str:
    """Keep what the step's command prints of the database; returns why it could not, empty where it could."""
    if not step.structure or structures.is_kept(step, when):
        return ""
    name = f"structure-{when}"
    printed = _run(claim, step, place, step.structure, seconds_of(step), name=name, most=structures.most_bytes())
    try:
        problem = _problem(printed, seconds_of(step))
        if problem:
            line = last_line(printed.stderr) or last_line(printed.stdout)
            return f"The structure {when.label.lower()} could not be printed: {problem} {line}".strip()
        structures.keep(claim, step, when, printed)
    finally:
        printed.forget()
    return ""


def _problem(result: ChildResult, seconds: int) -> str:
    record = result.record
    if record.ended_by in {"wall_limit", "silence_limit"}:
        return f"It took longer than {seconds} s and was ended."
    if record.exit_code == 0:
        return ""
    return f"{record.message[:1].upper()}{record.message[1:]}." if record.message else f"Exit code {record.exit_code}."


def seconds_of(step: Step) -> int:
    return step.wall_seconds or limits.value("STEP_WALL_SECONDS")


def _run(
    claim: Claim,
    step: Step,
    place: Path,
    argv: Sequence[str],
    seconds: int,
    *,
    name: str = children.STORED,
    most: int | None = None,
) -> ChildResult:
    """The caller forgets it."""
    command = Command(argv=tuple(argv), cwd=place, env=environment_of(step), wall_seconds=seconds, output_bytes=most)
    return children.run(claim, command, name=name, stored=name == children.STORED)


def last_line(spool: Path) -> str:
    """The last line in which something stands, as it may be shown."""
    try:
        with spool.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _END_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return storable(redact(lines[-1]))[:_LINE_CHARS] if lines else ""


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
