"""Statuses said later: a list of recommendations in which what is done is struck out, marked or ticked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reviews.importing.assemble import with_status
from reviews.importing.document import Section
from reviews.importing.model import ParsedFinding, Severity, Status
from reviews.importing.recognisers.items import Item, read_item
from reviews.importing.reconcile import Selection
from reviews.importing.refs import refs_added
from reviews.importing.regions import Outline, Region, group_status
from reviews.importing.titles import number_of, plain
from reviews.importing.vocabulary import SEVERITY_WORDS, status_of, word_set, words_of

MAX_LATER = 200
MAX_FINDINGS = 300
# A line that also names the finding's severity needs less of its wording to be told apart.
MIN_MATCH = 0.85
MIN_MATCH_RATED = 0.4
MARGIN = 1.1
MAX_BODY = 3_000

_DONE_MARK = re.compile(r"^\s*(?:[*_~]*)(?:✅|☑|✔)")
_REFS = re.compile(r"\b[A-Z]{1,6}[-_]?\d{1,4}\b|#\d{1,4}\b")
_DECLARED = re.compile(
    r"(?P<which>\b[A-Za-z][A-Za-z/&, -]{1,40}?)(?:[ -](?:severity|priority))? (?:issues|findings|bugs|items|"
    r"problems)(?: below| listed)? "
    r"(?:have been |has been |were |are |(?=remain))(?:all |now |still )?(?:remain )?(?P<status>\w+(?: \w+)?)"
)
MAX_HEAD = 60
_WORD = re.compile(r"[^\W_]{3,}")
_STOP = word_set(
    """
    the and for with from that this into are not was use all add fix via done only when new set has have
    can
    """
)


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
    known.update(
        {f"#{number}": at for at, finding in enumerate(result) if finding.ref and (number := number_of(finding.ref))}
    )
    unmatched = []
    for entry in later:
        named = [known[ref] for ref in entry.refs if ref in known]
        for at in named:
            if result[at].status is None:
                result[at] = with_status(result[at], entry.status, f"line {entry.line}: {entry.text}")
        if not named:
            unmatched.append(entry)
    first = min(finding.line_start for finding in result)
    for status, severities, line, said in _declared(outline.document.lines[: first - 1][:MAX_HEAD]):
        for at, finding in enumerate(result):
            if finding.status is None and (not severities or finding.severity in severities):
                result[at] = with_status(finding, status, f"line {line}: {said}")
    for at, entry in _matches(unmatched, result):
        if result[at].status is None or result[at].status == "open":
            result[at] = with_status(result[at], entry.status, f"line {entry.line}: {entry.text}")
    return tuple(result)


def _declared(lines: Sequence[str]) -> Iterator[tuple[Status, frozenset[Severity], int, str]]:
    """Sentences before the findings that speak of all of them: `All findings are open`, `High issues are fixed`."""
    for number, line in enumerate(lines, 1):
        for match in _DECLARED.finditer(line[:600].replace("`", "").replace("*", "")):
            said = [word for word in words_of(match["which"]) if word not in ("and", "or", "the", "of")]
            words = [word for word in said if word in SEVERITY_WORDS]
            rest = [word for word in said if word not in SEVERITY_WORDS]
            status = status_of(match["status"])
            if status is not None and (rest == ["all"] or (words and not rest)):
                yield status, frozenset(SEVERITY_WORDS[word] for word in words), number, match[0].strip()


def _later(outline: Outline) -> list[Later]:
    found: list[Later] = []
    for section in outline.document.sections():
        region = outline.region(section)
        status = region.status or group_status(section.title)
        if status is not None:
            found.extend(_rows(section, status))
        # `Rate limit for logins (C-02) - done`: what is said of the remedy is said of what it is for.
        said, refs = outline.title(section).status, refs_added(plain(section.title))
        if said is not None and refs:
            found.append(Later(plain(section.title)[:300], section.line, said, None, refs))
        if region.kind not in ("plan", "recap"):
            continue
        blocks = [block for block in section.blocks if block.kind == "item"]
        marked = [bool(_DONE_MARK.match(block.text)) for block in blocks]
        # A check mark before every item decorates the list; before some, it tells them from the others.
        telling = any(marked) and not all(marked)
        for block in blocks:
            text = block.text.replace("\n", " ")
            item = read_item(block, section, Region(kind="plan"), outline)
            status = _status(text, item, block.checked, telling)
            if status is not None:
                severity = item.parts.severity if item else None
                refs = tuple(_REFS.findall(text))
                found.append(Later(plain(text)[:300], block.start, status, severity, refs))
    return found


def _rows(section: Section, status: Status) -> Iterator[Later]:
    """The rows of a table under a heading that names a status: each begins with the ref of a finding."""
    for block in section.blocks:
        for row in block.rows:
            first = row.cells[0] if row.cells else ""
            refs = tuple(_REFS.findall(first[:200]))
            if refs:
                yield Later(plain(first)[:300], row.line, status, None, refs)


def _status(text: str, item: Item | None, checked: bool | None, telling: bool) -> Status | None:
    if item is not None and item.parts.status is not None:
        return item.parts.status
    if checked or (item is not None and item.parts.struck) or (telling and _DONE_MARK.match(text)):
        return "fixed"
    tail = re.search(r"~~\s*[*_]{0,2}(\w[\w ]{2,20})", text)
    return status_of(tail[1]) if tail else None


def _matches(later: Sequence[Later], findings: Sequence[ParsedFinding]) -> list[tuple[int, Later]]:
    """The finding that each entry means, when its rarer words single one out."""
    bodies = [set(_words(f"{finding.title} {finding.body[:MAX_BODY]}")) for finding in findings]
    titles = [set(_words(finding.title)) for finding in findings]
    spread = Counter(word for body in bodies for word in body)
    total = len(findings)
    scores: list[tuple[float, int, int]] = []
    for number, entry in enumerate(later):
        words = set(_words(entry.text))
        weight = {word: math.log(1 + total / (1 + spread[word])) for word in words}
        whole = sum(weight.values())
        for at, (body, title) in enumerate(zip(bodies, titles, strict=True)):
            if not whole or (entry.severity and findings[at].severity and entry.severity != findings[at].severity):
                continue
            said = sum(weight[word] for word in words & body) + sum(weight[word] for word in words & title)
            scores.append((said / whole, number, at))
    return _one_to_one(scores, later)


def _one_to_one(scores: list[tuple[float, int, int]], later: Sequence[Later]) -> list[tuple[int, Later]]:
    """The best pairs first; a pair stands when no other free finding comes near it."""
    scores.sort(key=lambda score: (-score[0], score[1], score[2]))
    free: dict[int, list[tuple[float, int]]] = {}
    for score, number, at in scores:
        free.setdefault(number, []).append((score, at))
    pairs: dict[int, int] = {}
    for score, number, at in scores:
        entry = later[number]
        if number in pairs or at in pairs.values() or score < (MIN_MATCH_RATED if entry.severity else MIN_MATCH):
            continue
        rivals = [other for other, place in free[number] if place != at and place not in pairs.values()]
        if not rivals or score >= MARGIN * max(rivals):
            pairs[number] = at
    return [(at, later[number]) for number, at in sorted(pairs.items())]


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    return re.sub(r"(?:ations?|ing|ed|es|s|ization|izing|ize)$", "", word) if len(word) > 5 else word
