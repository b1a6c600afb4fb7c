"""Child processes that end with the test run, even when it is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def tie(number: int) -> Callable[[], None]:
    """For a child, before it runs: ``number`` is what it gets when its parent dies."""

    def in_child() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, number)

    return in_child


def start(
    argv: Sequence[str], *, stop_signal: int = signal.SIGTERM, log: Path | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a session of its own; it gets ``stop_signal`` when this process dies."""
    with contextlib.ExitStack() as stack:
        output: Any = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Runs after the change of user, which would undo it.
            preexec_fn=tie(stop_signal),
            **options,
        )


def end(process: subprocess.Popen[bytes], stop_signal: int = signal.SIGTERM, seconds: float = 20) -> int:
    """Signal the process, wait, then kill its group. Returns the exit code."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def wait_for(
    what: str, ready: Callable[[], object], *, seconds: float = 30, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Return when ``ready()`` is true; raise when time is up or the process has ended."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what} ended with code {process.returncode} instead of getting ready")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} was not ready within {seconds:g} s")
        time.sleep(0.02)
