"""Asking an address in a step, until a service is healthy or answers as it is expected to."""

from __future__ import annotations

import json
import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from deployments import probing
from deployments.models import HealthCheck, Step, StepKind
from deployments.results import Result
from deployments.step_commands import environment_of
from portal.core import limits
from portal.core.storable import storable
from workers import children
from workers.children import Command
from workers.claims import Claim

# Of a long wait: how it began, and how it ended.
CHECKS_KEPT: Final = 100


def ask(claim: Claim, step: Step, place: Path) -> Result:
    """Ask until the answers are right for long enough, or the step's time is over."""
    records = place.parent / f".health-{secrets.token_hex(8)}.jsonl"
    argv = (sys.executable, "-I", probing.__file__, json.dumps(_question(step)), str(records))
    seconds = step.wall_seconds or limits.value("HEALTH_WALL_SECONDS")
    command = Command(argv=argv, cwd=place, env=environment_of(step), wall_seconds=seconds)
    try:
        result = children.run(claim, command)
        result.forget()
        checks = _read(records)
    finally:
        records.unlink(missing_ok=True)
    if result.record.exit_code == 0:
        return Result(True, _right(step), 0, checks)
    last = checks[-1]["detail"] or "right, and not for long enough" if checks else result.record.message
    return Result(False, f"{_wrong(step)} At last: {last}.", None, checks)


def _question(step: Step) -> dict[str, Any]:
    asked: dict[str, Any] = {"url": step.url, "pause": limits.value("HEALTH_PAUSE_SECONDS")}
    if step.kind == StepKind.HTTP:
        expected = {"method": step.method, "statuses": step.statuses, "contains": step.contains}
        return asked | expected | {"row": 1}
    return asked | {"commit": step.commit, "row": limits.value("HEALTH_ANSWERS"), "soak": step.soak_seconds}


def _right(step: Step) -> str:
    if step.kind == StepKind.HTTP:
        return "It answered as expected."
    over = f", over {step.soak_seconds} s" if step.soak_seconds else ""
    return f"{limits.value('HEALTH_ANSWERS')} answers in a row reported {step.commit[:9]}{over}."


def _wrong(step: Step) -> str:
    if step.kind == StepKind.HTTP:
        return "It never answered as expected."
    times = f"{limits.value('HEALTH_ANSWERS')} times in a row"
    over = f", over {step.soak_seconds} s" if step.soak_seconds else ""
    return f"It never reported {step.commit[:9]} {times}{over}."


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


def keep(step: Step, checks: tuple[dict[str, Any], ...]) -> None:
    """In place of those of an earlier go. Call it in the transaction that moves the step."""
    HealthCheck.objects.filter(step=step).delete()
    HealthCheck.objects.bulk_create([_check(step, check) for check in checks])


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
