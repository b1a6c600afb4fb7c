"""One start per data folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Held(Exception):
    """Another process has the folder; ``pid`` is empty if it did not say."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


class Lock:
    """Held from ``take`` until ``release`` or the end of the process; children do not inherit it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def take(self) -> None:
        """Raises ``Held``, or ``OSError`` where the file cannot be made."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise Held(pid) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode("ascii"))
        self._handle = handle

    def release(self) -> None:
        # The file stays: unlinking it would let two holders lock two files of one name.
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None
