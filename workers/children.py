"""Running a child under a claim: start it, stream its output, keep it alive, learn how it ended.

The child lives no longer than the claim: its supervisor is renewed for as
long as this worker may believe in its lease, and ends the tree by itself
after that. While the database is away the child goes on within the lease and
its spool keeps everything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Max

from portal.core import limits
from workers import output
from workers.claims import Claim
from workers.failures import JobFailed
from workers.models import Attempt, AttemptOutput
from workers.supervision.child import CannotSupervise, Child, ChildSpec, ExitRecord, sweep
from workers.supervision.spool import Chunk, SpoolReader

log = structlog.get_logger(__name__)
PACE_SECONDS: Final = 0.25
STDERR_TAIL_BYTES: Final = 16_384


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run for a claim: no shell, an environment that is exactly this, limits in seconds."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    wall_seconds: int
    silence_seconds: int | None = None


@dataclass(frozen=True)
class ChildResult:
    """How the child ended, and where its whole stdout lies until ``forget``."""

    record: ExitRecord
    stdout: Path

    def forget(self) -> None:
        shutil.rmtree(self.stdout.parent, ignore_errors=True)


def allowed_environment(names: list[str]) -> dict[str, str]:
    """The few variables that any child gets, and those of the worker that a profile names."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", *names) if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8"} | kept


def run(claim: Claim, command: Command) -> ChildResult:
    """Run to the end, streaming stdout into rows.

    Raises ``LeaseLost``, ``Cancelled`` or ``Interrupted``; the whole tree is
    gone then. Raises ``JobFailed`` where no child could be supervised.
    """
    # Nothing is started under a claim that may be another's by now.
    claim.check()
    _recover(claim)
    folder = _folder(claim.attempt_id)
    try:
        with Child.start(_spec(claim, command, folder), folder / "run") as child:
            record = _follow(claim, child)
    except CannotSupervise as problem:
        raise JobFailed(f"The child could not be supervised: {problem}") from problem
    return ChildResult(record, child.stdout)


def _follow(claim: Claim, child: Child) -> ExitRecord:
    reader = SpoolReader(child.stdout)
    while True:
        claim.check()
        child.renew(claim.seconds_left)
        record = child.wait(PACE_SECONDS)
        if record is None:
            _ingest(claim, reader)
            continue
        for chunk in reader.finish(limits.value("OUTPUT_CHUNK_BYTES")):
            _store(claim, [chunk])
        _store(claim, _stderr_tail(child.stderr, reader.offset))
        return record


def _ingest(claim: Claim, reader: SpoolReader) -> None:
    """Store what came since; with the database away, the spool keeps it and the reader stays where it was."""
    before = reader.offset
    chunk = reader.read(limits.value("OUTPUT_CHUNK_BYTES"))
    if chunk is None:
        return
    try:
        output.store(claim, [(chunk.offset, chunk.end - chunk.offset, chunk.text)])
    except (OperationalError, InterfaceError) as error:
        log.warning("output_waits", attempt=claim.attempt_id, error=type(error).__name__)
        connection.close()
        reader.offset = before


def _store(claim: Claim, chunks: list[Chunk]) -> None:
    """Store for certain, or raise ``LeaseLost``."""
    pieces = [(chunk.offset, chunk.end - chunk.offset, chunk.text) for chunk in chunks]
    while True:
        claim.check()
        try:
            output.store(claim, pieces)
            return
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(1)


def _stderr_tail(path: Path, offset: int) -> list[Chunk]:
    """The end of stderr as one last piece, so that a failure can be read where the output is."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return []
    if size == 0:
        return []
    reader = SpoolReader(path, max(0, size - STDERR_TAIL_BYTES))
    text = "".join(chunk.text for chunk in reader.finish())
    cut = f" (last {STDERR_TAIL_BYTES} bytes)" if size > STDERR_TAIL_BYTES else ""
    written = f"\n[stderr{cut}]\n{text}"
    return [Chunk(offset, offset + len(written.encode()), written)]


def _recover(claim: Claim) -> None:
    """End what an earlier attempt of this job left here, and keep the tail of its output."""
    earlier = (
        Attempt.objects.filter(job_id=claim.job_id, fence__lt=claim.fence).order_by("id").values_list("pk", flat=True)
    )
    for attempt in earlier:
        try:
            sweep(_marker(attempt))
        except CannotSupervise as problem:
            raise JobFailed(f"An earlier attempt is still alive and cannot be ended: {problem}") from problem
        folder = _folder(attempt)
        spool = folder / "run" / "stdout.spool"
        if spool.exists():
            stored = (
                AttemptOutput.objects.filter(attempt_id=attempt).aggregate(end=Max(F("offset") + F("length")))["end"]
                or 0
            )
            pieces = [
                (chunk.offset, chunk.end - chunk.offset, chunk.text) for chunk in SpoolReader(spool, stored).finish()
            ]
            output.store(claim, pieces, attempt_id=attempt)
        shutil.rmtree(folder, ignore_errors=True)


def _spec(claim: Claim, command: Command, folder: Path) -> ChildSpec:
    prompt: Path | None = None
    if command.stdin:
        prompt = folder / "prompt"
        prompt.write_text(command.stdin, encoding="utf-8")
    return ChildSpec(
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        marker=_marker(claim.attempt_id),
        stdin=prompt,
        output_cap=limits.value("OUTPUT_CAP_BYTES"),
        wall_limit=float(command.wall_seconds),
        silence_limit=float(command.silence_seconds) if command.silence_seconds else None,
        lease=max(1.0, claim.seconds_left),
    )


def _folder(attempt: int) -> Path:
    folder: Path = settings.DATA_DIR / "spools" / str(attempt)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _marker(attempt: int) -> str:
    """Names the children of an attempt in their environment; two installations on a machine differ."""
    installation = hashlib.sha256(str(settings.DATA_DIR).encode()).hexdigest()[:10]
    return f"{installation}-attempt-{attempt}"
