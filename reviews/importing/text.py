"""Bytes to text: decode, normalise line ends, repair mojibake line by line, and say what was done."""

from __future__ import annotations

import re
from typing import Final

from reviews.importing.model import BadInput, Note

MAX_BYTES = 2_000_000
# Tables and the results of tools are read piece by piece, so they may be longer than prose.
MAX_FORM_BYTES = 52_428_800
MAX_LINES = 100_000
MAX_REPAIRED_LINE = 4_000
MAX_REPAIRED_TOTAL = 400_000
CONTROL_SHARE = 0.02
NAMED_LINES = 20

_BOMS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_PACKED: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh9", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)

# Windows-1252 has no letter for five bytes, and who misread UTF-8 as it often dropped them. Without its byte a cross
# mark takes the space behind it for its end, and a warning sign is no text at all: the byte is put back first.
_LOST_BYTES: Final = (
    (re.compile("\u00e2\u0152(?=[\x00-\x7f\u00a0]|$)"), "\u00e2\x9d\u0152"),  # cross mark
    (re.compile("\u00ef\u00b8(?=[\x00-\x7f]|$)"), "\u00ef\u00b8\x8f"),  # the selector behind a coloured sign
)


def decode(data: bytes, *, most: int = MAX_BYTES) -> tuple[str, tuple[Note, ...]]:
    """The text of a document with `\\n` line ends, and notes on every change; BadInput when it is no text."""
    for opening, kind in _PACKED:
        if data.startswith(opening):
            raise BadInput("packed", f"The document is packed ({kind}): send the file itself.")
    if len(data) > most:
        raise BadInput("too_large", f"The document has more than {most} bytes, which is the limit.")
    raw, notes = _to_unicode(data)
    if not raw.strip():
        raise BadInput("empty", "The document is empty.")
    _refuse_binary(raw)
    text, line_notes = _one_kind_of_line_end(raw)
    if text.count("\n") >= MAX_LINES:
        raise BadInput("too_many_lines", f"The document has more than {MAX_LINES} lines.")
    repaired, repair_notes = _repair(text)
    return repaired, (*notes, *line_notes, *repair_notes)


def _to_unicode(data: bytes) -> tuple[str, tuple[Note, ...]]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError as error:
                raise BadInput(
                    "undecodable",
                    f"Byte {error.start} is not {encoding}, which the file's first bytes announce.",
                ) from error
            said = () if encoding == "utf-8-sig" else (Note("Decoded as UTF-16 by its byte order mark."),)
            return text, said
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        if b"\x00" in data:
            raise BadInput("binary", "The document contains NUL bytes: it is not text.") from error
        note = Note(f"Byte {error.start} is not UTF-8; the document was decoded as Latin-1 (Windows-1252).")
        return data.decode("cp1252", errors="replace"), (note,)


def _refuse_binary(text: str) -> None:
    if "\x00" in text:
        raise BadInput("binary", "The document contains NUL characters: it is not text.")
    control = sum(1 for ch in text if ord(ch) < 32 and ch not in "\n\r\t\f\x1b")
    if control > 8 and control > CONTROL_SHARE * len(text):
        raise BadInput("binary", f"The document contains {control} control characters: it is not text.")


def _one_kind_of_line_end(text: str) -> tuple[str, tuple[Note, ...]]:
    if "\r" not in text:
        return text, ()
    bare = text.replace("\r\n", "\n")
    notes = (Note("Line ends were changed from CR to LF."),) if "\r" in bare else ()
    return bare.replace("\r", "\n"), notes


def _repair(text: str) -> tuple[str, tuple[Note, ...]]:
    """Repair only the lines that look broken; a repair elsewhere would change what the author wrote."""
    if text.isascii():
        return text, ()
    # Its tables are of use to the few documents that come here, and to no process that reads none.
    import ftfy
    from ftfy.badness import is_bad

    lines = text.split("\n")
    changed: list[int] = []
    budget = MAX_REPAIRED_TOTAL
    for index, line in enumerate(lines):
        if line.isascii() or len(line) > MAX_REPAIRED_LINE or budget <= 0:
            continue
        budget -= len(line)
        if not is_bad(line):
            continue
        fixed = ftfy.fix_encoding(_with_lost_bytes(line))
        # A repair that makes a new line would move every later line number.
        if fixed != line and "\n" not in fixed and "\r" not in fixed:
            lines[index] = fixed
            changed.append(index + 1)
    if not changed:
        return text, ()
    named = ", ".join(str(n) for n in changed[:NAMED_LINES]) + (", ..." if len(changed) > NAMED_LINES else "")
    note = Note(f"Mojibake was repaired on {len(changed)} line(s): {named}.", tuple(changed))
    return "\n".join(lines), (note,)


def _with_lost_bytes(line: str) -> str:
    for lost, whole in _LOST_BYTES:
        line = lost.sub(whole, line)
    return line
