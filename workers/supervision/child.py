"""The worker's side of one child: start it under a supervisor, keep it alive, end it, learn how it ended.

There are no threads. The worker calls `renew` more often than the lease is long and `poll` when it likes.
Whatever happens to the worker, the supervisor ends the tree: at the end of the control pipe or past the
lease.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from workers.supervision import supervisor
from workers.supervision.inlet import Inlet
from workers.supervision.supervisor import MARKER_VARIABLE, RLIMITS, find_tree, send

EndedBy = Literal[
    "exited",  # by itself: a code or a signal that was not ours
    "stopped",  # on request: stop(), kill() or SIGTERM to the supervisor
    "orphaned",  # its worker died
    "deadline",  # its worker did not renew
    "wall_limit",
    "silence_limit",
    "could_not_start",
    "lost",  # the supervisor died without a record
]

# In the supervisor's own environment: sweep() finds a supervisor too, and does not take it for a child.
SUPERVISOR_VARIABLE = "SHIPROOM_SUPERVISES"
MARKER_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,199}")
RECORD_NAME = "exit.json"
RECORD_TIME = 2.0  # seconds that a supervisor has for its record once its tree is gone


class CannotSupervise(Exception):
    """No supervisor could be started; the message says why, in one line."""


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to run and its bounds, in seconds and bytes. Raises ValueError where it could never run as meant.

    `env` is the child's whole environment, but for SHIPROOM_ATTEMPT=`marker`, which is added. `argv[0]` is
    looked up in its PATH. `stdin` is a file with the prompt; without it the child reads /dev/null, or, where
    `open_stdin`, what its worker writes into `Child.inlet`, until the worker ends it or dies. Up to
    `output_cap` bytes of each stream are kept, and of what follows the last `output_tail`. `grace` is the
    time between SIGTERM and SIGKILL; nobody waits for more than 3 of it after the worker's death or the
    lease's end. `lease` is the first deadline. `limits` may name as, cpu, fsize, nofile, nproc (nproc counts
    all processes of the user).
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    marker: str
    stdin: Path | None = None
    open_stdin: bool = False
    output_cap: int = 64 * 1024 * 1024
    output_tail: int = 64 * 1024
    wall_limit: float | None = 3600.0
    silence_limit: float | None = None
    grace: float = 5.0
    lease: float = 60.0
    limits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not MARKER_FORM.fullmatch(self.marker):
            raise ValueError("a marker has 8 to 200 letters, digits, dots, colons, dashes or underscores")
        if MARKER_VARIABLE in self.env or SUPERVISOR_VARIABLE in self.env:
            raise ValueError(f"{MARKER_VARIABLE} and {SUPERVISOR_VARIABLE} are set by the supervision alone")
        if any("\0" in text for text in (*self.argv, *self.env, *self.env.values())):
            raise ValueError("a NUL character cannot be passed to a process")
        if any(not name or "=" in name for name in self.env):
            raise ValueError("a name in the environment is empty or contains '='")
        if not self.cwd.is_absolute() or (self.stdin and not self.stdin.is_absolute()):
            raise ValueError("paths of a child are absolute")
        if self.stdin and self.open_stdin:
            raise ValueError("standard input is a file, or stays open, not both")
        if unknown := set(self.limits) - set(RLIMITS):
            raise ValueError(f"unknown limits: {', '.join(sorted(unknown))}")
        if min(self.output_cap, self.output_tail, self.grace, self.lease) < 0:
            raise ValueError("bounds are not negative")


@dataclass(frozen=True)
class StreamRecord:
    """What became of one output: bytes received and dropped, spool offset of the cut, a spool error."""

    received: int = 0
    dropped: int = 0
    cut_at: int | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ExitRecord:
    """How a child ended. Durations in seconds; monotonic readings compare within one boot of one host."""

    ended_by: EndedBy
    message: str
    exit_code: int | None = None
    signal: int | None = None
    started_monotonic: float = 0.0
    ended_monotonic: float = 0.0
    run_seconds: float = 0.0
    ending_seconds: float = 0.0
    max_rss_kib: int = 0
    cpu_seconds: float = 0.0
    survivors: tuple[int, ...] = ()
    stdout: StreamRecord = StreamRecord()
    stderr: StreamRecord = StreamRecord()

    @property
    def ended_by_itself(self) -> bool:
        """Whether the child ran and nobody on our side ended it."""
        return self.ended_by == "exited"


def read_exit_record(directory: Path) -> ExitRecord | None:
    """Return the record that a supervisor left in an attempt's directory, or None if there is none."""
    try:
        fields: dict[str, Any] = json.loads((directory / RECORD_NAME).read_bytes())
    except FileNotFoundError:
        return None
    for name in ("stdout", "stderr"):
        fields[name] = StreamRecord(**fields.get(name, {}))
    return ExitRecord(**{**fields, "survivors": tuple(fields["survivors"])})


def sweep(marker: str, grace: float = 2.0, patience: float = 10.0) -> int:
    """End every process that carries the marker, and its descendants; return how many there were.

    For what a dead supervisor or a dead host process left behind: call it before the same work is claimed
    again. It first asks a supervisor that still lives, which ends its tree and writes its record. It does not
    see a process that replaced its environment *and* whose supervisor is dead. Raises CannotSupervise if
    something cannot be ended (it runs as another user, or sleeps in the kernel).
    """
    began = time.monotonic()
    asked: set[tuple[int, bytes]] = set()
    while True:
        marked = find_tree(0, marker)
        supervisors = find_tree(0, marker, SUPERVISOR_VARIABLE)
        waited = time.monotonic() - began
        if not marked and not supervisors:
            return len(asked)
        if waited > grace + patience:
            left = sorted({row.pid for row in marked + supervisors})
            raise CannotSupervise(f"processes of {marker} cannot be ended: {left}")
        # A supervisor has longer: with its tree gone it ends by itself, and its record is worth a moment.
        for rows, patient_for in ((marked, grace), (supervisors, grace + RECORD_TIME)):
            for row in rows:
                if waited > patient_for:
                    send(row, signal.SIGKILL)
                elif (row.pid, row.started) not in asked:
                    send(row, signal.SIGTERM)
                    send(row, signal.SIGCONT)
                asked.add((row.pid, row.started))
        time.sleep(supervisor.TICK)


# A forked copy of a worker must not keep its children's pipes open: their end is how its death is noticed.
_open_controls: set[int] = set()
_open_inlets: set[Inlet] = set()


def _close_controls() -> None:
    for descriptor in _open_controls:
        with suppress(OSError):
            os.close(descriptor)
    _open_controls.clear()
    for inlet in _open_inlets:
        inlet.close()
    _open_inlets.clear()


os.register_at_fork(after_in_child=_close_controls)


class Child:
    """One supervised child. Leaving the `with` block ends it if it still runs."""

    def __init__(
        self, spec: ChildSpec, place: Path, process: subprocess.Popen[bytes], control: int, inlet: Inlet | None
    ) -> None:
        self.spec, self.directory, self.inlet = spec, place, inlet
        self._process, self._control = process, control
        self._record: ExitRecord | None = None

    @classmethod
    def start(cls, spec: ChildSpec, directory: Path) -> Self:
        """Start the supervisor, which starts the child; whether that worked is in the exit record.

        The directory is this attempt's alone, made here with mode 0700; it receives stdout.spool,
        stderr.spool, supervisor.log and exit.json. Raises CannotSupervise if it is not writable or was used
        before.
        """
        with _attempt_log(directory) as log:
            theirs, ours = os.pipe()
            os.set_blocking(ours, False)
            inlet = Inlet() if spec.open_stdin else None
            passed = (inlet.reader,) if inlet else ()
            try:
                with _in_memory(_fields(spec, directory, theirs, inlet)) as source:
                    process = subprocess.Popen(
                        [sys.executable, "-I", "-S", "-X", "utf8", supervisor.__file__, "--fd", str(source)],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=log,
                        pass_fds=(source, theirs, *passed),
                        start_new_session=True,
                        cwd="/",
                        env={SUPERVISOR_VARIABLE: spec.marker, "LC_ALL": "C.UTF-8"},
                    )
            except OSError as error:
                os.close(ours)
                if inlet:
                    inlet.close()
                raise CannotSupervise(f"the supervisor could not start: {error.strerror}") from error
            finally:
                os.close(theirs)
        _open_controls.add(ours)
        if inlet:
            _open_inlets.add(inlet)
        return cls(spec, directory, process, ours, inlet)

    @property
    def stdout(self) -> Path:
        """The spool of stdout; it appears when the supervisor has started."""
        return self.directory / "stdout.spool"

    @property
    def stderr(self) -> Path:
        """The spool of stderr."""
        return self.directory / "stderr.spool"

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    def renew(self, seconds: float) -> bool:
        """Let the child live for so many seconds from now; return False if no supervisor takes the line."""
        return self._say(f"deadline {seconds:.3f} {time.monotonic():.6f}")

    def hear(self) -> bool:
        """The child waits for this worker, so its silence begins anew; False if no supervisor takes the line."""
        return self._say("heard")

    def stop(self) -> bool:
        """Ask for the end of the tree and return at once; False if no supervisor takes the line."""
        return self._say("stop")

    def poll(self) -> ExitRecord | None:
        """Return how the child ended, or None while any process of its tree is left.

        Sweeps if the supervisor died without a record; raises CannotSupervise if that sweep cannot succeed.
        """
        if self._record is None and self._process.poll() is not None:
            self._record = read_exit_record(self.directory) or self._lost()
            self._close()
        return self._record

    def wait(self, timeout: float) -> ExitRecord | None:
        """Wait at most `timeout` seconds for the end; return what poll() returns then."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return self.poll()

    def kill(self) -> ExitRecord:
        """Last resort, for a supervisor that does not answer: kill its tree and it, then sweep by the marker.

        The record says `lost`. The tree goes first: once the supervisor is dead, descendants without the
        marker cannot be told from anybody's.
        """
        if self.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            until = time.monotonic() + RECORD_TIME
            while (found := find_tree(self.pid, self.spec.marker)) and time.monotonic() < until:
                for row in found:
                    send(row, signal.SIGKILL)
                time.sleep(supervisor.TICK)
            self._process.kill()
            self._process.wait()
        return self.poll() or self._lost()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.poll() is None:
            self.stop()
            if self.wait(self.spec.grace + supervisor.READ_AFTER_EXIT + 2.0) is None:
                self.kill()

    def _say(self, line: str) -> bool:
        if self._control < 0:
            return False
        try:  # a line is shorter than PIPE_BUF: it is written whole or not at all
            os.write(self._control, line.encode() + b"\n")
        except OSError:  # the supervisor is gone, or stopped with a full pipe
            return False
        return True

    def _lost(self) -> ExitRecord:
        """Sweep after a supervisor that left no record, and say what is known."""
        swept = sweep(self.spec.marker, grace=0.0)
        said = (self.directory / "supervisor.log").read_text(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"its supervisor ended with status {self._process.returncode}"
        return ExitRecord(ended_by="lost", message=f"{reason}; processes swept: {swept}")

    def _close(self) -> None:
        if self._control >= 0:
            _open_controls.discard(self._control)
            os.close(self._control)
            self._control = -1
        if self.inlet is not None:
            _open_inlets.discard(self.inlet)
            self.inlet.close()


def _fields(spec: ChildSpec, directory: Path, control: int, inlet: Inlet | None) -> bytes:
    fields = {
        "argv": list(spec.argv),
        "cwd": str(spec.cwd),
        "env": dict(spec.env),
        "marker": spec.marker,
        "stdin": str(spec.stdin) if spec.stdin else None,
        "stdin_fd": inlet.reader if inlet else None,
        "stdout": str(directory / "stdout.spool"),
        "stderr": str(directory / "stderr.spool"),
        "record": str(directory / RECORD_NAME),
        "output_cap": spec.output_cap,
        "output_tail": spec.output_tail,
        "wall_limit": spec.wall_limit,
        "silence_limit": spec.silence_limit,
        "grace": spec.grace,
        "lease": spec.lease,
        "limits": dict(spec.limits),
        "control": control,
    }
    return json.dumps(fields).encode()


@contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    """Hand the specification over without a file: the environment in it may hold secrets."""
    descriptor = os.memfd_create("specification")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _attempt_log(directory: Path) -> Iterator[int]:
    """Make the attempt's directory and its log, which also proves that it is writable and new."""
    if not directory.is_absolute():
        raise CannotSupervise(f"the attempt directory {directory} is not absolute")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        log = os.open(directory / "supervisor.log", flags, 0o600)
    except FileExistsError:
        raise CannotSupervise(f"the attempt directory {directory} was used before") from None
    except OSError as error:
        raise CannotSupervise(f"the attempt directory {directory} is not usable: {error.strerror}") from error
    try:
        yield log
    finally:
        os.close(log)
