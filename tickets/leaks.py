"""What looks like a secret in the lines that a branch adds: where it is and of which kind, never what it is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from portal.core import limits
from portal.core.redaction import kinds, redact
from tickets import git
from tickets.pristine import Pristine

NAMED: Final = 50
_PIECE_BYTES: Final = 1024 * 1024
_HUNK: Final = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# One way of writing a patch; files of bytes are written, too.
_PATCH: Final = ("-r", "-p", "--unified=0", "--no-renames", "--no-color", "--text", "--src-prefix=", "--dst-prefix=")


@dataclass(frozen=True, slots=True)
class Leaks:
    """``places`` reads "path:line (kind)" and is bounded, ``count`` is whole."""

    places: list[str]
    count: int
    # whether all that was added was looked through
    whole: bool


def between(objects: Pristine, before: str, after: str) -> Leaks:
    """Look through all that ``after`` adds to ``before``, as far as DIFF_SEARCH_BYTES go. Raises ``GitFailed``."""
    most = limits.value("DIFF_SEARCH_BYTES")
    places: list[str] = []
    count = read = 0
    until = time.monotonic() + git.SECONDS
    with objects.piping("diff-tree", *_PATCH, before, after) as diff:
        for path, line, text in _added(diff):
            read += len(text)
            if read > most or time.monotonic() > until:
                return Leaks(places, count, whole=False)
            for kind in dict.fromkeys(kinds(text.decode("utf-8", "replace"))):
                count += 1
                if len(places) < NAMED:
                    places.append(f"{redact(git.printable(path))}:{line} ({kind})")
    return Leaks(places, count, whole=True)


def _added(diff: IO[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
    """(path, line, text) of each added line; a very long one comes in pieces.

    By the numbers of each hunk: an added line may look like a header.
    """
    path, line, out, added = b"", 0, 0, 0
    for piece, begins in _pieces(diff):
        if out or added:
            minus = begins and piece.startswith(b"-")
            if out and minus:
                out -= 1
            elif added and begins and piece.startswith(b"+"):
                yield path, line, piece[1:]
                line, added = line + 1, added - 1
        elif begins and piece.startswith(b"+++ "):
            path = piece[4:].rstrip(b"\t\n")
        elif begins and (hunk := _HUNK.match(piece)):
            out, line, added = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
        if not begins and line:
            yield path, max(1, line - 1), piece


def _pieces(diff: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The lines, and whether each piece begins one."""
    begins = True
    while piece := diff.readline(_PIECE_BYTES):
        yield piece, begins
        begins = piece.endswith(b"\n")
