"""Follow a spool: text with its byte offsets, no character split, the same at every reading."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ_SIZE = 64 * 1024
SHORTEST_READ = 16  # more than any character: every read can make progress
REPLACEMENT = "\ufffd"


class SpoolShrank(Exception):
    """The file is shorter than what was already read of it: it is not the spool that it was."""


@dataclass(frozen=True)
class Chunk:
    """Text of the bytes from `offset` up to `end` of the spool; reading goes on at `end`."""

    offset: int
    end: int
    text: str


class SpoolReader:
    """Reads on from a byte offset that is 0 or the `end` of a chunk; the offset is its only state.

    What is not UTF-8 and every NUL become U+FFFD; escape sequences stay text. The same bytes from the same
    offset give the same chunks, so a reader that died is replaced by one that starts at the last stored
    `end`.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path, self.offset = path, offset

    def read(self, limit: int = READ_SIZE) -> Chunk | None:
        """Return the next chunk, of at most `limit` bytes; None if no complete character is there (yet).

        A file that does not exist yet has nothing to read. Raises SpoolShrank, and OSError if it cannot be
        read.
        """
        return self._take(limit, final=False)

    def finish(self, limit: int = READ_SIZE) -> Iterator[Chunk]:
        """Yield all that is left once nobody writes any more, an unfinished last character as U+FFFD."""
        while chunk := self._take(limit, final=False) or self._take(limit, final=True):
            yield chunk

    def _take(self, limit: int, *, final: bool) -> Chunk | None:
        data = self._bytes(max(limit, SHORTEST_READ))
        # The decoder leaves the start of an unfinished character unconsumed; so it stays in the file for next
        # time.
        text, consumed = codecs.utf_8_decode(data, "replace", final)
        if not consumed:
            return None
        chunk = Chunk(self.offset, self.offset + consumed, text.replace("\0", REPLACEMENT))
        self.offset = chunk.end
        return chunk

    def _bytes(self, limit: int) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return b""
        try:
            if os.fstat(descriptor).st_size < self.offset:
                raise SpoolShrank(f"{self.path} ends before offset {self.offset}")
            return os.pread(descriptor, limit, self.offset)
        finally:
            os.close(descriptor)
