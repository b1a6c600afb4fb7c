"""Lines out of bytes in any pieces: one tolerant reader for every agent."""

from __future__ import annotations

import re
from typing import NamedTuple

LINE_LIMIT = 1024 * 1024
REPLACEMENT = "\ufffd"

# Terminal control sequences: CSI, OSC and its like up to their end, and the short ones.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]")


def without_ansi(text: str) -> str:
    """Return the text without the sequences that colour a terminal, move its cursor or name its window."""
    return _ANSI.sub("", text) if "\x1b" in text or "\x9b" in text else text


class Line(NamedTuple):
    """A line without its line end: the byte offset of its start, what was kept, how many bytes were cut."""

    offset: int
    data: bytes
    cut: int = 0

    @property
    def text(self) -> str:
        """The line as text: no final carriage return, U+FFFD for NUL and what is not UTF-8, a cut marked."""
        text = self.data.decode("utf-8", "replace").replace("\0", REPLACEMENT)
        return f"{text} [{self.cut} bytes cut]" if self.cut else text.removesuffix("\r")


class LineReader:
    """Splits on newline alone. Every byte is in a line or counted, and at most `limit` are held."""

    def __init__(self, offset: int = 0, limit: int = LINE_LIMIT) -> None:
        self.limit = limit
        self._start = offset  # where the line that is being read began
        self._kept = bytearray()
        self._length = 0  # of that line so far, with what was cut

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that these bytes complete, empty ones too."""
        lines = []
        begin = 0
        while (end := data.find(b"\n", begin)) >= 0:
            if self._length:
                self._extend(data, begin, end)
                lines.append(self._complete(1))
            else:  # a whole line, straight out of the data: floods come here
                kept = data[begin : min(end, begin + self.limit)]
                lines.append(Line(self._start, kept, end - begin - len(kept)))
                self._start += end - begin + 1
            begin = end + 1
        self._extend(data, begin, len(data))
        return lines

    def finish(self) -> list[Line]:
        """Return the last line if it had no newline."""
        return [self._complete(0)] if self._length else []

    def _extend(self, data: bytes, begin: int, end: int) -> None:
        self._length += end - begin
        self._kept += data[begin : min(end, begin + self.limit - len(self._kept))]

    def _complete(self, newline: int) -> Line:
        line = Line(self._start, bytes(self._kept), self._length - len(self._kept))
        self._start += self._length + newline
        self._kept.clear()
        self._length = 0
        return line
