"""Statuses said later: a list of recommendations in which what is done is struck out, marked or ticked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reviews.importing.assemble import with_status
from reviews.importing.model import ParsedFinding, Severity, Status
from reviews.importing.reconcile import Selection
from reviews.importing.recognisers.items import read_item
from reviews.importing.regions import Outline, Region
from reviews.importing.titles import plain
from reviews.importing.vocabulary import status_of

MAX_LATER = 400
MAX_FINDINGS = 400
MIN_MATCH = 0.5
MARGIN = 1.12
MAX_BODY = 3_000

_DONE_MARK = re.compile(r"^\s*(?:[*_~]*)(?:✅|☑|✔)")
_WORD = re.compile(r"[^\W_]{3,}")
_STOP = frozenset("the and for with from that this into are not was use all add fix via done only when new set has have can".split())


@dataclass(frozen=True, slots=True)
class Later:
    """One line of a later list, and what it says of whatever finding it names."""

    text: str
    line: int
    status: Status
    severity: Severity | None
    refs: tuple[str, ...]


def apply_later(findings: Sequence[ParsedFinding], selection: Selection, outline: Outline) -> tuple[ParsedFinding, ...]:
    """Findings without a status of their own take the one that a later list gives them."""
    result = list(findings)
    if not result or len(result) > MAX_FINDINGS:
        return tuple(result)
    taken = {finding.line_start for finding in findings}
    later = [entry for entry in _later(outline) if entry.line not in taken][:MAX_LATER]
    known = {finding.ref: at for at, finding in enumerate(result) if finding.ref and not finding.ref.isdigit()}
    unmatched = []
    for entry in later:
        named = [known[ref] for ref in entry.refs if ref in known]
        for at in named:
            if result[at].status is None:
                result[at] = with_status(result[at], entry.status, f"line {entry.line}: {entry.text}")
        if not named:
            unmatched.append(entry)
    for at, entry in _matches(unmatched, result):
        if result[at].status is None:
            result[at] = with_status(result[at], entry.status, f"line {entry.line}: {entry.text}")
    return tuple(result)


def _later(outline: Outline) -> list[Later]:
    found = []
    for section in outline.document.sections():
        region = outline.region(section)
        if region.kind not in ("plan", "recap"):
            continue
        for block in section.blocks:
            if block.kind != "item":
                continue
            text = block.text.replace("\n", " ")
            item = read_item(block, section, Region(kind="plan"), outline)
            status = _status(text, item.parts.status if item else None, block.checked, item.parts.struck if item else False)
            if status is not None:
                severity = item.parts.severity if item else None
                refs = tuple(re.findall(r"\b[A-Z]{1,6}[-_]?\d{1,4}\b", text))
                found.append(Later(plain(text)[:300], block.start, status, severity, refs))
    return found


def _status(text: str, read: Status | None, checked: bool | None, struck: bool) -> Status | None:
    if read is not None:
        return read
    if checked:
        return "fixed"
    if _DONE_MARK.match(text) or struck:
        return "fixed"
    tail = re.search(r"~~\s*[*_]{0,2}(\w[\w ]{2,20})", text)
    return status_of(tail[1]) if tail else None


def _matches(later: Sequence[Later], findings: Sequence[ParsedFinding]) -> list[tuple[int, Later]]:
    """The finding that each entry means, when its rarer words single one out."""
    bodies = [_words(f"{finding.title} {finding.title} {finding.body[:MAX_BODY]}") for finding in findings]
    titles = [_words(finding.title) for finding in findings]
    spread = Counter(word for body in bodies for word in set(body))
    total = len(findings)
    scored: list[tuple[float, int, Later]] = []
    for entry in later:
        words = set(_words(entry.text))
        if not words:
            continue
        weight = {word: math.log(1 + total / (1 + spread[word])) for word in words}
        scores = []
        for at, body in enumerate(bodies):
            if entry.severity and findings[at].severity and entry.severity != findings[at].severity:
                continue
            shared = words & set(body)
            in_title = words & set(titles[at])
            score = sum(weight[word] for word in shared) + sum(weight[word] for word in in_title)
            scores.append((score / sum(weight.values()), at))
        scores.sort(key=lambda pair: (-pair[0], pair[1]))
        if scores and scores[0][0] >= MIN_MATCH and (len(scores) == 1 or scores[0][0] >= MARGIN * scores[1][0]):
            scored.append((scores[0][0], scores[0][1], entry))
    scored.sort(key=lambda triple: (-triple[0], triple[2].line))
    return [(at, entry) for _, at, entry in scored]


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    return re.sub(r"(?:ations?|ing|ed|es|s|ization|izing|ize)$", "", word) if len(word) > 5 else word
