"""Failpoints: the named moments at which a test ends, fails or holds a process.

A process knows them only where it was started with ``FAILPOINTS_DIR``, and even
then nothing happens until a file with the name of a point lies in that folder.
Whoever reaches the point first takes the file, alone, and does what it says:
``kill``, ``raise`` or ``pause SECONDS``. The file stays beside it under another
name, as the proof that the moment came.
"""

from __future__ import annotations

import os
import signal
import time
from enum import Enum
from pathlib import Path


class Failpoint(Enum):
    """What has happened, and what has not happened yet."""

    AFTER_CLAIM = "Jobs are claimed; nothing renews them yet."
    BEFORE_RUN = "The claim is held and believed in; its handler was not called."
    IN_FENCED_WRITE = "A handler has written under its fence; that is not committed."
    AFTER_FENCED_WRITE = "What a handler wrote is committed; the handler does not know it yet."
    AFTER_CHILD_START = "A child runs; nothing of it was read."
    AFTER_CHILD_EXIT = "A child has ended; the rest of its output is not stored."
    AFTER_LEFTOVERS_ENDED = "What an earlier attempt left running is ended; its output is not stored."
    BEFORE_FINISH = "The handler is done, and all its effects outside; its attempt has not ended."
    IN_SETTLE = "Job, attempt, slots and subject have moved to their end; that is not committed."
    AFTER_FINISH = "The end is committed; nobody was woken for what it made free."
    BEFORE_WAKEUP = "A job was enqueued and committed; no worker was told."
    BEFORE_HINT = "An event is committed; no open page was told."
    MID_RENEW = "Claims are renewed in the database; the process that renewed them does not know it."
    IN_SWEEP = "An expired lease was found; its attempt has not ended."
    IN_TICK = "A schedule's tick and its job are inserted; they are not committed."
    IN_WORKSPACE = "A ticket's worktree is known to git; it has no files, and no row."
    AFTER_TURN_BEGIN = "A turn has begun and taken its messages; its agent was not started."
    AFTER_TURN_BOOKED = "What a turn said and left is stored; it was not measured."
    BEFORE_PUSH = "Accepted work is merged and checked here; it was not pushed."
    AFTER_PUSH = "Accepted work is in the target branch; no row says so."
    IN_DEPLOYMENT_START = "The gate was open and the place is taken; that is not committed."
    AFTER_STEP_START = "A step counts as begun; its command was not started."
    AFTER_STEP_COMMAND = "A step's command has ended; its result is known to this process alone."
    IN_STEP_SETTLE = "A step is done and the next one queued; that is not committed."

    @property
    def file_name(self) -> str:
        return self.name.lower()


class Injected(Exception):
    """What a failpoint raises where it was told to raise."""


_folder: Path | None = None


def know(folder: Path | None) -> None:
    """Called once at the start of a process, with the folder that its settings name."""
    global _folder
    _folder = folder


def reach(point: Failpoint) -> None:
    """Costs one look at a global where the process was started without a folder."""
    if _folder is not None:
        _obey(_folder, point)


def _obey(folder: Path, point: Failpoint) -> None:
    taken = folder / f"{point.file_name}.{os.getpid()}"
    try:
        # The rename decides which of many processes it is.
        (folder / point.file_name).rename(taken)
    except FileNotFoundError:
        return
    # When it was: a rename leaves the time of the contents.
    os.utime(taken)
    order, _, seconds = taken.read_text(encoding="ascii").partition(" ")
    if order == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "pause":
        time.sleep(float(seconds))
        return
    raise Injected(f"{point.name}: {point.value}")
