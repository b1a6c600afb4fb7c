"""The history: what clients asked, what workers did outside, what readers saw, what was broken; one JSON line each.

Many processes append to one file. A line is one write of a descriptor that
appends, so lines do not mix; what is acknowledged was synced before. Free of
Django: agents and checkers use it too.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class History:
    """``write(event, **fields)`` returns when the line is on its way to the disk, and safe from any kill."""

    def __init__(self, path: Path, who: str) -> None:
        self.path, self.who = path, who

    def write(self, event: str, **fields: Any) -> None:
        # The monotonic clock is that of the machine: it orders lines of different processes.
        head = {"event": event, "who": self.who, "pid": os.getpid(), "at": time.time(), "mono": time.monotonic()}
        line = json.dumps(head | fields, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the history took half a line")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def once(self, event: str, key: str, **fields: Any) -> bool:
        """An effect of the outside world: written unless one with this key is there; whether it was new.

        Probe and effect are one under a lock, as a service does that takes an idempotency key.
        """
        with self._alone():
            if self.has(event, key):
                return False
            self.write(event, key=key, **fields)
        return True

    def has(self, event: str, key: str) -> bool:
        """The probe."""
        wanted = f'"key":{json.dumps(key)}'.encode()
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return False
        return any(wanted in line and json.loads(line)["event"] == event for line in text.splitlines())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read(*paths: Path) -> list[Line]:
    """All lines of these files in the order of the machine's clock. Raises ``ValueError`` for a torn one."""
    lines = [json.loads(line) for path in paths if path.exists() for line in path.read_text("utf-8").splitlines()]
    return sorted(lines, key=lambda line: float(line["mono"]))
