"""The evidence that a work log states: commits and test counts, as written. None of it is believed here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reviews.importing.beside.outcomes import tests_in
from reviews.importing.beside.parts import MAX_TEXT, Page, fence_lines, text_lines
from reviews.importing.document import Block
from reviews.importing.model import Evidence

MAX_COMMITS = 40

_IN_CODE = re.compile(r"`(?P<sha>[0-9a-f]{7,40})`", re.IGNORECASE)
_AFTER_WORD = re.compile(
    r"\b(?:commit(?:s|ted)?|sha|revision|rev)\b(?: (?:hash|id|as|is|in|at))?[\s:=#`(]{1,4}"
    r"(?P<shas>[0-9a-f]{7,40}(?![\w-])(?:`?(?:,| and| &|\s)\s{0,2}`?[0-9a-f]{7,40}(?![\w-])){0,20})",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)


def evidence(page: Page) -> Iterator[Evidence]:
    """Under a finding, evidence is of the problem and stays with it."""
    for part in page.of("evidence"):
        if page.finding_at(part.line) is None:
            for block in part.blocks:
                for line, text in _lines(block, page):
                    if re.search(r"\w", text):
                        text = text.strip()[:MAX_TEXT]
                        yield Evidence(text, line, commits_in(text), tests_in(text))


def commits_in(text: str) -> tuple[str, ...]:
    """Hashes written as such: in code marks, or after the word commit."""
    found: dict[int, str] = {}
    for match in _AFTER_WORD.finditer(text):
        for sha in _HEX.finditer(match["shas"]):
            found.setdefault(match.start("shas") + sha.start(), sha[0])
    for match in _IN_CODE.finditer(text):
        # Digits alone are a date or a number, letters alone a word, unless the word commit says otherwise.
        if re.search(r"\d", match["sha"]) and re.search(r"[a-f]", match["sha"], re.IGNORECASE):
            found.setdefault(match.start("sha"), match["sha"])
    return tuple(dict.fromkeys(found[at] for at in sorted(found)))[:MAX_COMMITS]


def _lines(block: Block, page: Page) -> Iterator[tuple[int, str]]:
    if block.kind == "fence":
        yield from fence_lines(block, page.document)
    elif block.kind == "table":
        yield from ((row.line, " | ".join(cell for cell in row.cells if cell)) for row in block.rows)
    elif block.kind == "item":
        yield block.start, " ".join(block.text.split())
        for child in block.children:
            yield from _lines(child, page)
    else:
        yield from text_lines(block)
