"""Running a child under a claim: start it, stream its output, keep it alive, learn how it ended.

The child lives no longer than the claim: its supervisor is renewed for as
long as this worker may believe in its lease, and ends the tree by itself
after that. While the database is away the child goes on within the lease and
its spool keeps everything.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Max

from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from workers import output, room
from workers.claims import Cancelled, Claim
from workers.failures import BadInput, JobFailed
from workers.models import ENDED_STATES, Attempt, AttemptOutput, Outcome
from workers.supervision.child import CannotSupervise, Child, ChildSpec, ExitRecord, sweep
from workers.supervision.spool import Chunk, SpoolReader

log = structlog.get_logger(__name__)
PACE_SECONDS: Final = 0.25
# Looked at more often to begin with: people wait for the first line.
FIRST_PACE_SECONDS: Final = 0.02
# Folders looked at in one run; the next takes the others.
MOST_LEFT: Final = 500
STDERR_TAIL_BYTES: Final = 16_384
# of what is kept of a stream, so much is its end: there stands how it ended
TAIL_BYTES: Final = 65_536
STORED: Final = "run"  # the child whose output becomes rows; an attempt has one
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run for a claim: no shell, an environment that is exactly this, limits in seconds."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    # given first; where it stays open, the partner of ``run`` writes on and ends it
    stdin: str = ""
    open_stdin: bool = False
    wall_seconds: int
    silence_seconds: int | None = None
    # kept of each stream, never more than OUTPUT_CAP_BYTES; None: that
    output_bytes: int | None = None
    # of each of its processes, by the names of ``ChildSpec``
    limits: Mapping[str, int] = field(default_factory=dict)


class Partner(Protocol):
    """Speaks with a running child whose standard input stays open. Called at every look; it must not wait."""

    def look(self, child: Child) -> None:
        """Hear what the child wrote since, and write what it is to be told."""

    def ended(self, child: Child) -> None:
        """The child is gone: what it did not read was not told."""


@dataclass(frozen=True)
class ChildResult:
    """How the child ended, and where what is kept of its output lies until ``forget``."""

    record: ExitRecord
    stdout: Path
    stderr: Path

    def forget(self) -> None:
        """Remove this child's folder; those of others of the attempt stay."""
        shutil.rmtree(self.stdout.parent, ignore_errors=True)
        with suppress(OSError):  # another child's folder is in it
            self.stdout.parent.parent.rmdir()


def allowed_environment(names: list[str]) -> dict[str, str]:
    """The few variables that any child gets, and those of the worker that a profile names."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", *names) if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8"} | kept


def run(
    claim: Claim, command: Command, *, name: str = STORED, stored: bool = True, partner: Partner | None = None
) -> ChildResult:
    """Run to the end, streaming stdout into rows.

    An attempt may run several children, one after the other: each has a
    ``name``, which is its folder. The output of the one named "run" is stored;
    of others, with ``stored=False``, the caller reads the spools. A ``partner``
    speaks with a child whose input stays open; without one it ends at once.

    Raises ``LeaseLost``, ``Cancelled`` or ``Interrupted``; the whole tree is
    gone then. Raises ``JobFailed`` where no child could be supervised, and
    ``BadInput`` where the command could run nowhere.
    """
    if not _NAME.fullmatch(name) or stored is not (name == STORED):
        raise ValueError(f'"{name}" cannot be its name: the stored child is "{STORED}", others have plain other ones')
    # Nothing is started under a claim that may be another's by now.
    claim.check()
    recover(claim)
    folder = _folder(claim.attempt_id, name)
    try:
        spec = _spec(claim, command, folder)
    except ValueError as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"The command cannot be run: {problem}.") from problem
    try:
        with Child.start(spec, folder) as child:
            reach(Failpoint.AFTER_CHILD_START)
            if child.inlet is not None:
                child.inlet.write(command.stdin.encode())
                if partner is None:
                    child.inlet.end()
            record = _follow(claim, child, stored, partner)
            claim.spent(record.cpu_seconds, record.max_rss_kib * 1024)
            for stream in (record.stdout, record.stderr):
                if room.is_said(stream.error):
                    # What it said is not known: neither its success nor its failure can be believed.
                    raise room.NoRoom(stream.error)
    except CannotSupervise as problem:
        raise JobFailed(f"The child could not be supervised: {problem}") from problem
    except Cancelled:
        _keep_the_last(claim, folder, stored)
        raise
    finally:
        # It may hold what was meant for the child alone.
        (folder / "prompt").unlink(missing_ok=True)
    return ChildResult(record, child.stdout, child.stderr)


def _follow(claim: Claim, child: Child, stored: bool, partner: Partner | None) -> ExitRecord:
    reader, pace = SpoolReader(child.stdout), FIRST_PACE_SECONDS
    while True:
        claim.check()
        child.renew(claim.seconds_left)
        record = child.wait(pace)
        pace = min(PACE_SECONDS, 1.5 * pace)
        if record is None:
            if stored:
                _ingest(claim, reader)
            if child.inlet is not None:
                child.inlet.push()
            if partner is not None:
                _speak(claim, partner, child)
            continue
        reach(Failpoint.AFTER_CHILD_EXIT)
        if partner is not None:
            _for_certain(claim, lambda: partner.ended(child))
        if stored:
            for chunk in reader.finish(limits.value("OUTPUT_CHUNK_BYTES")):
                _store(claim, [chunk])
            _store(claim, _stderr_tail(child.stderr, reader.offset))
        return record


def _keep_the_last(claim: Claim, folder: Path, stored: bool) -> None:
    """A child that was stopped on request goes with its folder; what it still wrote can be read."""
    try:
        if stored:
            _store_tail(claim, claim.attempt_id, folder)
    except (OperationalError, InterfaceError) as error:
        log.warning("output_lost", attempt=claim.attempt_id, error=type(error).__name__)
        connection.close()
    ChildResult(ExitRecord(ended_by="stopped", message=""), folder / "stdout.spool", folder / "stderr.spool").forget()


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
    _for_certain(claim, lambda: output.store(claim, pieces))


def _speak(claim: Claim, partner: Partner, child: Child) -> None:
    """With the database away, the child waits for what it asked, within its lease."""
    try:
        partner.look(child)
    except (OperationalError, InterfaceError) as error:
        log.warning("dialogue_waits", attempt=claim.attempt_id, error=type(error).__name__)
        connection.close()


def _for_certain(claim: Claim, write: Callable[[], object]) -> None:
    """Do it until the database has taken it. Raises ``LeaseLost``."""
    while True:
        claim.check()
        try:
            write()
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


def recover(claim: Claim) -> None:
    """End what earlier attempts of this job left here, and keep the tail of their output.

    Call it before touching what a child of theirs may still write; ``run``
    does where nobody did. Raises ``LeaseLost``, and ``JobFailed`` where
    something of theirs cannot be ended.
    """
    if claim.recovered:
        return
    earlier = Attempt.objects.filter(job_id=claim.job_id, fence__lt=claim.fence).order_by("id")
    for attempt in earlier.values_list("pk", flat=True):
        # An attempt has a folder before it has a child.
        if _spools(attempt).exists():
            _take_in(claim, attempt)
    claim.recovered = True


def recover_ended(claim: Claim) -> int:
    """End what attempts of jobs that are over left on this machine, and keep the tails; returns how many there were.

    The last attempt of a job whose worker was lost has no next one that would.
    Raises as ``recover``.
    """
    root: Path = settings.DATA_DIR / "spools"
    names = sorted(int(path.name) for path in root.glob("*") if path.name.isdecimal()) if root.is_dir() else []
    over = Attempt.objects.filter(pk__in=names[:MOST_LEFT], job__state__in=ENDED_STATES).exclude(
        outcome=Outcome.RUNNING
    )
    found = list(over.order_by("id").values_list("pk", flat=True))
    for attempt in found:
        _take_in(claim, attempt)
    return len(found)


def clear_unknown() -> int:
    """Remove the spools of attempts that no row knows (forgotten, or from before a restore); returns how many.

    An attempt has its row before it has a folder. Raises ``JobFailed`` where
    something of theirs cannot be ended.
    """
    root: Path = settings.DATA_DIR / "spools"
    names = sorted(int(path.name) for path in root.glob("*") if path.name.isdecimal()) if root.is_dir() else []
    known = set(Attempt.objects.filter(pk__in=names[:MOST_LEFT]).values_list("pk", flat=True))
    unknown = [attempt for attempt in names[:MOST_LEFT] if attempt not in known]
    for attempt in unknown:
        _end(attempt)
        shutil.rmtree(_spools(attempt), ignore_errors=True)
    return len(unknown)


def _end(attempt: int) -> None:
    try:
        sweep(_marker(attempt))
    except CannotSupervise as problem:
        raise JobFailed(f"An earlier attempt is still alive and cannot be ended: {problem}") from problem


def _take_in(claim: Claim, attempt: int) -> None:
    _end(attempt)
    reach(Failpoint.AFTER_LEFTOVERS_ENDED)
    folder = _spools(attempt)
    _store_tail(claim, attempt, folder / STORED)
    shutil.rmtree(folder, ignore_errors=True)


def _store_tail(claim: Claim, attempt: int, folder: Path) -> None:
    """Store what is not yet stored of a child's stdout."""
    spool = folder / "stdout.spool"
    rows = AttemptOutput.objects.filter(attempt_id=attempt)
    stored: int = rows.aggregate(end=Max(F("offset") + F("length")))["end"] or 0
    # It may stand past the spool's end: the tail of stderr comes last.
    if not spool.exists() or spool.stat().st_size <= stored:
        return
    for chunk in SpoolReader(spool, stored).finish(limits.value("OUTPUT_CHUNK_BYTES")):
        output.store(claim, [(chunk.offset, chunk.end - chunk.offset, chunk.text)], attempt_id=attempt)


def _spec(claim: Claim, command: Command, folder: Path) -> ChildSpec:
    prompt: Path | None = None
    if command.stdin and not command.open_stdin:
        prompt = folder / "prompt"
        descriptor = os.open(prompt, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(command.stdin)
    most = limits.value("OUTPUT_CAP_BYTES")
    kept = most if command.output_bytes is None else min(command.output_bytes, most)
    tail = min(TAIL_BYTES, kept // 2)
    return ChildSpec(
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        marker=_marker(claim.attempt_id),
        stdin=prompt,
        open_stdin=command.open_stdin,
        output_cap=kept - tail,
        output_tail=tail,
        wall_limit=float(command.wall_seconds),
        silence_limit=float(command.silence_seconds) if command.silence_seconds else None,
        lease=max(1.0, claim.seconds_left),
        limits=command.limits,
    )


def _folder(attempt: int, name: str) -> Path:
    folder = _spools(attempt) / name
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise JobFailed(f"This attempt has run a child named {name} before.") from None
    return folder


def _spools(attempt: int) -> Path:
    folder: Path = settings.DATA_DIR / "spools" / str(attempt)
    return folder


def _marker(attempt: int) -> str:
    """Names the children of an attempt in their environment; two installations on a machine differ."""
    installation = hashlib.sha256(str(settings.DATA_DIR).encode()).hexdigest()[:10]
    return f"{installation}-attempt-{attempt}"
