"""One child of ``manage.py up``: started behind a keeper, watched, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from portal.site.launching import keeper

KEEPER = Path(keeper.__file__)
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
# After this long alive an end is a new story, not another try of the same start.
STEADY_SECONDS = 60.0


@dataclass(slots=True)
class Program:
    """What to run, and how to tell that it is ready."""

    name: str
    argv: Sequence[str]
    environment: dict[str, str]
    grace: float
    ready: Callable[[], bool] = lambda: True
    # Exit codes that another start would only repeat: a bad setting, a refused schema.
    final: frozenset[int] = frozenset({2, 3})
    # Where it runs, if not where its starter does.
    folder: Path | None = None


class Child:
    """A program that runs behind a keeper, in a session of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._began = 0.0
        self._pid = 0

    @property
    def name(self) -> str:
        return self.program.name

    def start(self, output: int | None = None) -> None:
        """``output`` is where it writes, instead of where this process does."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # Isolated and without site: the keeper needs nothing and starts at once.
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(KEEPER),
                    str(theirs.fileno()),
                    f"{self.program.grace:g}",
                    "--",
                    *self.program.argv,
                ],
                env=self.program.environment,
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._link = ours
        self._began = time.monotonic()
        self._pid = 0

    def fileno(self) -> int:
        """Readable when the keeper has something to say, or is gone."""
        return self._link.fileno() if self._link else -1

    @property
    def watched(self) -> bool:
        return self._link is not None

    def hear(self) -> None:
        """Read what the keeper said: the program's pid. An end of file stays readable for ``ended``."""
        if self._link and not self._pid:
            with contextlib.suppress(OSError, ValueError):
                self._pid = int(self._link.recv(32, socket.MSG_DONTWAIT).split(b"\n")[0] or 0)

    def ended(self) -> int | None:
        """The exit code (128 + n for signal n) once the program and its group are gone, else None."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self.hear()
        if code < 0:
            # The keeper itself was killed: the program has lost who would end it.
            self._kill_group()
        if self._link:
            self._link.close()
            self._link = None
        return code if code >= 0 else 128 - code

    def delay(self) -> float:
        """Seconds until the next start; grows while starts keep failing."""
        self.failures = 1 if time.monotonic() - self._began > STEADY_SECONDS else self.failures + 1
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (self.failures - 1))

    def stop(self) -> None:
        """Ask the keeper to end it; it takes at most the program's grace and a second."""
        if self._link and self.ended() is None:
            with contextlib.suppress(OSError):
                self._link.sendall(keeper.STOP)

    def kill(self) -> None:
        """End it now, keeper included."""
        self.hear()
        self._kill_group()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _kill_group(self) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
