"""The bytes of a structured document: as UTF-8 to be read, and the part of the text that is kept to be shown."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from reviews.importing.model import BadInput, Note
from reviews.importing.text import MAX_BYTES, MAX_FORM_BYTES, MAX_LINES, decode

COUNTED_BYTES: Final = 8_192
PIECE_BYTES: Final = 1 << 20


class Source:
    """`raw` is the whole document in UTF-8; `text` its beginning where it is long; `notes` say what was changed."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_FORM_BYTES:
            raise BadInput("too_large", f"The document has more than {MAX_FORM_BYTES} bytes, which is the limit.")
        if len(data) <= MAX_BYTES and data.count(b"\n") + data.count(b"\r") < MAX_LINES:
            self.text, self.notes = decode(data)
            self.raw = self.text.encode("utf-8", errors="replace")
        else:
            self.raw, said = _as_utf8(data)
            self.text, cut = _beginning(self.raw)
            self.notes = (*said, *cut)
        self._before: list[int] | None = None

    def line_at(self, offset: int) -> int:
        """The line, from 1, on which the byte at `offset` stands."""
        if self._before is None:
            self._before = [0, *_running(self.raw)]
        block = offset // COUNTED_BYTES
        return self._before[block] + self.raw.count(b"\n", block * COUNTED_BYTES, offset) + 1

    def column_at(self, offset: int) -> int:
        start = self.raw.rfind(b"\n", 0, offset) + 1
        return len(self.raw[start:offset].decode("utf-8", errors="replace")) + 1


def _running(raw: bytes) -> Iterator[int]:
    """How many line ends there are up to the end of each block."""
    total = 0
    for start in range(0, len(raw), COUNTED_BYTES):
        total += raw.count(b"\n", start, start + COUNTED_BYTES)
        yield total


def _as_utf8(data: bytes) -> tuple[bytes, tuple[Note, ...]]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode(), (Note("Decoded as UTF-16 by its byte order mark."),)
        except UnicodeError as error:
            raise BadInput("undecodable", "The document is not UTF-16, which its first bytes announce.") from error
    raw = data.removeprefix(codecs.BOM_UTF8)
    wrong = _not_utf8(raw)
    if wrong is None:
        return raw, ()
    note = Note(f"Byte {wrong} is not UTF-8; the document was decoded as Latin-1 (Windows-1252).")
    return raw.decode("cp1252", errors="replace").encode(), (note,)


def _not_utf8(raw: bytes) -> int | None:
    """The first byte that is not UTF-8; looked for in pieces, for the whole text would be held beside the bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(raw), PIECE_BYTES):
        try:
            decoder.decode(raw[start : start + PIECE_BYTES], start + PIECE_BYTES >= len(raw))
        except UnicodeDecodeError as error:
            return start + error.start
    return None


def _beginning(raw: bytes) -> tuple[str, tuple[Note, ...]]:
    """What is shown of a long document: whole lines, unless it has none so short."""
    shown = raw[:MAX_BYTES]
    lines = shown.split(b"\n", MAX_LINES)
    whole = len(raw) <= MAX_BYTES and len(lines) <= MAX_LINES
    if not whole and len(lines) > 1:
        shown = b"\n".join(lines[:-1])
    text = shown.decode("utf-8", errors="ignore").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    cut = "" if whole else f" Its first {text.count(chr(10)) + 1} lines are kept as its text; all of it was read."
    return text, (Note(f"The document has {len(raw)} bytes: broken characters in it were not repaired.{cut}"),)
