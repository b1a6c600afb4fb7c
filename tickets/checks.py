"""The project's checks, run by the portal itself: what they say is measured, not claimed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.core import limits
from portal.core.redaction import redact
from portal.core.storable import storable
from portal.core.unit import Pointer
from tickets import clones
from tickets.models import CheckRun, Project, Ticket
from workers import children
from workers.agents.containment import Mounts, contained
from workers.children import ChildResult, Command
from workers.claims import Claim
from workers.failures import JobFailed
from workers.models import AgentVersion, Containment
from workers.supervision.child import ExitRecord

KEPT_BYTES: Final = 32_768
SUMMARY_CHARS: Final = 300

# Somebody of ours ended it, or lost it: that says nothing of the work.
_NOT_ITS_OWN: Final = frozenset({"stopped", "orphaned", "deadline", "lost"})

# What runners say when they ran nothing. A check that found no test has shown nothing, whatever its exit code.
_NOTHING_RAN: Final = re.compile(
    r"\bno tests ran\b|\bcollected 0 items\b|^Ran 0 tests? in\b|^NO TESTS RAN\b|\bThere are no tests to run\b"
    r"|\bNo tests? (?:files? )?(?:were )?found\b|^# tests 0$|^1\.\.0\b|\bTests:\s+0 total\b|^\s*0 passing\b"
    r"|\b0 examples, 0 failures\b|^running 0 tests$|\[no test files\]$",
    re.IGNORECASE | re.MULTILINE,
)
# And when they ran something: several runs in one output, of which one is empty, are no empty run.
_SOMETHING_RAN: Final = re.compile(
    r"\b[1-9]\d* (?:passed|passing|failed|failing|errors?|examples?)\b|^Ran [1-9]\d* tests? in\b"
    r"|^running [1-9]\d* tests?$|^# tests [1-9]|\bTests:\s+[1-9]|^ok\s+\S+\s+[\d.(]|^1\.\.[1-9]",
    re.IGNORECASE | re.MULTILINE,
)
_TELLING: Final = re.compile(
    r"\b\d+ (?:passed|failed|errors?|passing|failing|examples?)\b|^Ran \d+ tests?|^OK\b|^FAILED"
)


def run(
    claim: Claim, project: Project, ticket: Ticket, folder: Path, *, wrote: AgentVersion | None = None
) -> list[CheckRun]:
    """Run every check of the project in ``folder``, one after the other; each is stored and told as it ends.

    A red one stops no other: whoever mends the work wants to know of all.
    They run what an agent wrote: in the containment of ``wrote``, whose work nobody has accepted yet.
    Raises what ``children.run`` raises, and ``JobFailed`` where one was lost.
    """
    found: list[CheckRun] = []
    for n, command in enumerate(project.checks, start=1):
        ready = _command(project, command, folder)
        if wrote is not None and wrote.containment != Containment.PLAIN:
            ready = _contained(ready, project, ticket, wrote)
        result = children.run(claim, ready, name=f"check-{n}", stored=False)
        made = _judged(claim, n, command, result)
        result.forget()
        with claim.fenced() as work:
            CheckRun.objects.bulk_create([made])
            work.announce(ticket.subject, Pointer("check", f"check:{claim.attempt_id}/{n}", 1))
        found.append(made)
    return found


def run_one(claim: Claim, project: Project, command: list[str], folder: Path) -> CheckRun:
    """Run one command in ``folder`` as the project's own checks are run there; the row is not stored.

    Raises as ``run``.
    What lies in the folder was accepted into the repository: it is run without a box, as after a merge.
    """
    result = children.run(claim, _command(project, command, folder), name="check-1", stored=False)
    made = _judged(claim, 1, command, result)
    result.forget()
    return made


def is_red(run: CheckRun) -> bool:
    return run.outcome != CheckRun.Outcome.PASSED


def told(run: CheckRun) -> str:
    """One sentence: which check, and how it ended."""
    command = " ".join(run.command)
    how = {
        CheckRun.Outcome.PASSED: "passed",
        CheckRun.Outcome.FAILED: f"failed with exit code {run.exit_code}",
        CheckRun.Outcome.NO_TESTS: "ran no test, so it has shown nothing",
        CheckRun.Outcome.TIMED_OUT: "took longer than it may",
        CheckRun.Outcome.NOT_STARTED: "could not be started",
    }[CheckRun.Outcome(run.outcome)]
    return f"The check “{command}” {how}{f': {run.summary}' if run.summary else ''}."


def _command(project: Project, command: list[str], folder: Path) -> Command:
    # A home of its own, kept: tools put their caches there.
    home: Path = settings.DATA_DIR / "homes" / f"checks-{project.key}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = children.allowed_environment([]) | {"HOME": str(home), "CI": "1"}
    return Command(argv=tuple(command), cwd=folder, env=environment, wall_seconds=limits.value("CHECK_WALL_SECONDS"))


def _contained(ready: Command, project: Project, ticket: Ticket, wrote: AgentVersion) -> Command:
    """With a home of the ticket's alone: what lay in the project's would run again, outside of a box."""
    home: Path = settings.DATA_DIR / "homes" / ticket.key / ".checks"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {**ready.env, "HOME": str(home)}
    mounts = Mounts(readable=(clones.path_of(project),))
    argv = contained(wrote, ready.argv, cwd=ready.cwd, home=home, environment=environment, mounts=mounts)
    return replace(ready, argv=argv, env=environment)


def _judged(claim: Claim, n: int, command: list[str], result: ChildResult) -> CheckRun:
    record = result.record
    if record.ended_by in _NOT_ITS_OWN:
        raise JobFailed(f"The check “{' '.join(command)}” did not come to its end: {record.message}.")
    said = "\n".join(filter(None, (_end_of(result.stdout), _end_of(result.stderr))))
    outcome = _outcome(record, said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    summary = (telling or lines or [""])[-1]
    if outcome in {CheckRun.Outcome.NOT_STARTED, CheckRun.Outcome.TIMED_OUT}:
        summary = record.message
    return CheckRun(
        attempt_id=claim.attempt_id,
        n=n,
        command=command,
        outcome=outcome,
        exit_code=record.exit_code,
        seconds=round(record.run_seconds, 3),
        summary=redact(summary)[:SUMMARY_CHARS],
        output=redact(said),
    )


def _outcome(record: ExitRecord, said: str) -> CheckRun.Outcome:
    if record.ended_by == "could_not_start":
        return CheckRun.Outcome.NOT_STARTED
    if record.ended_by in {"wall_limit", "silence_limit"}:
        return CheckRun.Outcome.TIMED_OUT
    if _NOTHING_RAN.search(said) and not _SOMETHING_RAN.search(said):
        return CheckRun.Outcome.NO_TESTS
    return CheckRun.Outcome.PASSED if record.exit_code == 0 else CheckRun.Outcome.FAILED


def _end_of(spool: Path) -> str:
    """The end of what a check wrote: its verdict stands there."""
    try:
        with spool.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - KEPT_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    cut = f"[cut: {size - KEPT_BYTES} bytes before this]\n" if size > KEPT_BYTES else ""
    return cut + storable(text)
