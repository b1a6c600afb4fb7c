"""Marks of lists and titles that people type in plain text, rewritten line by line to those the block rules know.

Every line stays where it is; a line inside a fence is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_TITLE = 100
MIN_RULE = 3
MIN_LIKE = 2

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})(?P<info>[^`]*)$")
_BULLET = re.compile(r"^(\s*)[•◦▪▫‣∙●○■□·►▶➤➜➢→◆◇※・](?:\ufe0f)?[ \t\u3000]*(?=\S)")
_DASH = re.compile(r"^(\s*)[–—−][ \t]+(?=\S)")
_BRACKETED = re.compile(r"^(\s*)[(（](\d{1,3})[)）][ \t\u3000]*(?=\S)")
_SQUARE = re.compile(r"^(\s{0,3})\[(\d{1,3})\][ \t]+(?!https?:|\()(?=\S)")
_WIDE = re.compile(r"^(\s*)([0-9０-９]{1,3})[、．）.](?![0-9])[ \t\u3000]*(?=[^\s\d.)])")
_CIRCLED = re.compile(r"^(\s*)([①-⑳])[ \t\u3000]*(?=\S)")
_RULE = re.compile(r"^([=~^*+#\"'_-])\1{2,}\s*$")
_NUMBERED = re.compile(r"^\s{0,3}\d{1,3}[.)]\s+\S.*$")
_EAST = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def as_markdown(lines: Sequence[str]) -> list[str]:
    """The lines with `•`, `(1)`, `[1]`, `1、` as list marks and with underlined titles as headings."""
    bodies = _outside_fences(lines)
    marks = [pattern for pattern in (_DASH, _SQUARE) if sum(1 for line in bodies if pattern.match(line)) >= MIN_LIKE]
    result = list(lines)
    for at, line in enumerate(bodies):
        if line:
            result[at] = _marked(line, marks)
    _title_rules(bodies, result)
    return result


def _outside_fences(lines: Sequence[str]) -> list[str]:
    """The lines, those of fences emptied. A rule of tildes right under a title opens none."""
    bodies: list[str] = []
    fence = ""
    for at, line in enumerate(lines):
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match["info"].strip():
                fence = ""
            bodies.append("")
        elif match and not _underlines(lines, at):
            fence = match[1]
            bodies.append("")
        else:
            bodies.append(line)
    return bodies


def _marked(line: str, marks: Sequence[re.Pattern[str]]) -> str:
    if _BULLET.match(line):
        return _BULLET.sub(r"\1- ", line)
    if _DASH in marks and _DASH.match(line):
        return _DASH.sub(r"\1- ", line)
    match = _BRACKETED.match(line) or (_SQUARE.match(line) if _SQUARE in marks else None)
    if match is None:
        match = _WIDE.match(line)
        if match and "、" not in match[0] and not _EAST.search(line[:40]):
            match = None
    if match is not None:
        return f"{match[1]}{int(match[2])}. {line[match.end() :]}"
    match = _CIRCLED.match(line)
    if match is not None:
        return f"{match[1]}{ord(match[2]) - ord('①') + 1}. {line[match.end() :]}"
    return line


def _underlines(lines: Sequence[str], at: int) -> bool:
    """A rule about as long as the title above it, which stands alone."""
    rule = lines[at].rstrip()
    if at == 0 or not _RULE.match(rule) or len(rule) < MIN_RULE:
        return False
    title = lines[at - 1].strip()
    banner = at >= 2 and lines[at - 2].rstrip() == rule
    if banner:
        return 0 < len(title) <= MAX_TITLE
    alone = at == 1 or not lines[at - 2].strip() or bool(_RULE.match(lines[at - 2]))
    wide = len(title) + len(_EAST.findall(title))
    return alone and 0 < len(title) <= MAX_TITLE and not _RULE.match(title) and abs(len(rule) - wide) <= 2 + wide // 5


def _title_rules(bodies: Sequence[str], result: list[str]) -> None:
    for at, line in enumerate(bodies):
        if not line or not _RULE.match(line) or not _underlines(bodies, at):
            continue
        if at >= 2 and bodies[at - 2] and bodies[at - 2].rstrip() == line.rstrip():
            result[at - 2] = ""
        if _NUMBERED.match(bodies[at - 1]) or bodies[at - 1].startswith("    "):
            # By the letter of CommonMark this is a list item, or code, over a rule.
            result[at - 1], result[at] = f"{'#' if line[0] == '=' else '##'} {bodies[at - 1].strip()}", ""
        elif line[0] not in "=-" or len(line.rstrip()) == MIN_RULE:
            result[at] = "-" * max(MIN_RULE + 1, len(line.rstrip()))
