"""The worker's end of a child's standard input. It never blocks: what the child does not read waits here, bounded."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from contextlib import suppress
from typing import Final

PIPE_SIZE: Final = 1024 * 1024
MOST_BYTES: Final = 4 * 1024 * 1024  # that wait for room in the pipe


class Inlet:
    """A pipe of which the child reads. Both ends stay here: the one for reading tells what the child has not read.

    The child's end of file is the end of `writer` alone, here or with the worker's death.
    """

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        with suppress(OSError):  # the user's pipe budget is used up: the default size works too
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self.written = 0  # bytes that were taken here in all
        self._waiting = bytearray()
        self._ending = False
        self._read = 0  # as of the close

    @property
    def read(self) -> int:
        """How many of the written bytes the child has read."""
        if self.reader < 0:
            return self._read
        (in_pipe,) = struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, struct.pack("i", 0)))
        return self.written - len(self._waiting) - int(in_pipe)

    @property
    def open(self) -> bool:
        """Whether something can still be written."""
        return self.writer >= 0 and not self._ending

    def write(self, data: bytes) -> bool:
        """Take all of it, or nothing where too much waits already or the input was ended."""
        if not self.open or len(self._waiting) + len(data) > MOST_BYTES:
            return False
        self._waiting += data
        self.written += len(data)
        self.push()
        return True

    def push(self) -> None:
        """Hand on what has room in the pipe by now; a child that is gone takes nothing."""
        with suppress(BlockingIOError, BrokenPipeError):
            while self._waiting and self.writer >= 0:
                del self._waiting[: os.write(self.writer, self._waiting)]
        if self._ending and not self._waiting:
            self._close_writer()

    def end(self) -> None:
        """Nothing more is written: the child reads the end of file after what waits."""
        self._ending = True
        self.push()

    def close(self) -> None:
        """Let go of both ends; `read` stays what it was."""
        if self.reader >= 0:
            self._read = self.read
            os.close(self.reader)
            self.reader = -1
        self._close_writer()

    def _close_writer(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1
