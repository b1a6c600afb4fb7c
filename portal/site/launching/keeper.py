"""Runs one program and sees to its end: ``python -I -S keeper.py LINK GRACE -- PROGRAM...``.

LINK is a socket whose other end only the starter holds. When it closes, by
the starter's will or by its death (kill -9 included), the program gets TERM,
has GRACE seconds, and then its whole process group is killed. TERM goes to
the program alone: Celery's main process passes on what its children must know,
and hangs if they are told apart from it.

Stands alone, without the project's imports: it is one of each process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import NoReturn

# After the starter's death nobody waits for an orderly end: be gone within 15 s in all.
ORPHAN_GRACE_SECONDS = 8.0
STOP = b"stop\n"


def main(argv: list[str]) -> NoReturn:
    link, grace, program = int(argv[1]), float(argv[2]), argv[4:]
    os.set_inheritable(link, False)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    # Handlers, not SIG_IGN, which the program would inherit. What a whole group
    # is told (systemd, a closing terminal), the starter is told too.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _nothing)
    child = _spawn(program)
    os.write(link, f"{child}\n".encode())
    code = _watch(child, link, woken, grace)
    _signal_group(child, signal.SIGKILL)
    os._exit(code)


def _nothing(number: int, frame: object) -> None:
    pass


def _spawn(program: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(program[0], program)
    except OSError as error:
        os.write(2, f"shiproom: {program[0]} cannot be run ({error.strerror}).\n".encode())
    finally:
        os._exit(127)


def _watch(child: int, link: int, woken: int, grace: float) -> int:
    """The child's exit code; 128 + n where signal n ended it."""
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if deadline is not None and time.monotonic() >= deadline:
            _signal_group(child, signal.SIGKILL)
            deadline = time.monotonic() + 1
        watched = [woken] if deadline is not None else [woken, link]
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(watched, [], [], timeout)
        if woken in readable:
            os.read(woken, 512)
        if link in readable:
            grace = grace if _told_to_stop(link) else min(grace, ORPHAN_GRACE_SECONDS)
            deadline = time.monotonic() + grace
            os.kill(child, signal.SIGTERM)


def _told_to_stop(link: int) -> bool:
    try:
        return os.read(link, 64) == STOP
    except OSError:
        return False


def _signal_group(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, number)


if __name__ == "__main__":
    main(sys.argv)
