"""The lines that the block rules are given: bounded, and apart where the author meant them apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_LINE = 20_000
MAX_LINE_FOR_BLOCKS = 4_000
MAX_MARKERS = 12
MAX_PSEUDO_HEADING = 200
SLACK = 4
LONG_UNDERLINE = 10

BOLD_ALONE = re.compile(r"^(?:[^\w\s*`]{1,3}\s*)?(\*\*|__)(?=\S)(?:(?!\1).)+\1\s*[:.]?\s*(?:[✅❌⚠️🔴🟠🟡🟢]+\s*)?$")
_MARKER_RUN = re.compile(rf"^\s*((?:[>\-*+]|\d{{1,9}}[.)])[ \t]*){{{MAX_MARKERS},}}[^\s\->*+]")
_NUMBERED = re.compile(r"^\d{1,3}[.)] \S.{0,200}$")
_UNDERLINE = re.compile(r"^(?:-{4,200}|={4,200})\s*$")
_DEEP_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?){2,}")
_FENCE = re.compile(r"^\s{0,3}(?:```|~~~)")
_TABLE_RULE = re.compile(r"^\s{0,3}\|?\s*:?-{2,}:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")


def tame(line: str) -> str:
    """A line that the block rules can be given: bounded in length and in nesting of its markers."""
    if len(line) > MAX_LINE:
        line = line[:MAX_LINE]
    # Each level of quotation is read anew inside the one around it; nobody quotes reviews this deeply.
    line = _DEEP_QUOTE.sub("> ", line)
    if _MARKER_RUN.match(line[:400]):
        return "\\" + line[:MAX_LINE_FOR_BLOCKS]
    # markdown-it replaces NUL and this model must not count lines otherwise than the author's editor does.
    return line.replace("\x00", "\ufffd")


def spaced_out(lines: Sequence[str]) -> tuple[list[str], list[int]]:
    """The lines with a blank one before each table and bold title that follows text directly, and their numbers.

    By the letter of CommonMark such a line continues the paragraph of the list item above it; nobody means that.
    """
    spaced: list[str] = []
    origin: list[int] = []
    fenced = False
    titled = False
    for number, line in enumerate(lines, 1):
        fenced ^= bool(_FENCE.match(line))
        if titled:
            line, titled = "", False
        elif not fenced and _underlined(line, lines[number] if number < len(lines) else ""):
            line, titled = f"{'#' if lines[number].startswith('=') else '##'} {line}", True
        before = lines[number - 2] if number > 1 else ""
        if not fenced and before.strip() and _starts_afresh(line, before, lines[number : number + 1]):
            spaced.append("")
            origin.append(number - 1)
        spaced.append(line)
        origin.append(number)
    return spaced, origin


def _underlined(line: str, below: str) -> bool:
    """`1. Title` over a line of dashes as long as itself: a heading, though by the letter a list and a rule."""
    if not _NUMBERED.match(line) or not _UNDERLINE.match(below):
        return False
    return abs(len(line.rstrip()) - len(below.rstrip())) <= SLACK or len(below.rstrip()) >= LONG_UNDERLINE


def _starts_afresh(line: str, before: str, after: Sequence[str]) -> bool:
    if line.startswith("|"):
        return not before.lstrip().startswith("|") and bool(after) and bool(_TABLE_RULE.match(after[0]))
    return line.startswith("**") and len(line) <= MAX_PSEUDO_HEADING and bool(BOLD_ALONE.match(line.rstrip()))
