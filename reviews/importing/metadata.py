"""What a document says of itself: title, date, reviewer, ticket, base commit, version and verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reviews.importing.document import Document, Section
from reviews.importing.model import Metadata, ParsedFinding
from reviews.importing.regions import Outline
from reviews.importing.titles import EMOJI, plain

HEAD_LINES = 40
MAX_VALUE = 300
MAX_VERDICT = 200

_DATE = re.compile(r"\b(\d{4}-\d\d-\d\d)(?:T[\d:.]+Z?)?\b")
_LONG_DATE = re.compile(
    r"\b((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2},? \d{4}|\d{1,2}\.? "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d{4}|\d{1,2}[./]\d{1,2}[./]\d{4})"
)
_NAMES = {
    "date": "date|review date|audit date|analysis date|reviewed|reviewed at|fixed at|created|last "
    "updated|datum|дата|fecha|data",
    "reviewer": "reviewer|reviewers|reviewed by|auditor|auditors|author|audited by|fixer|analyst|"
    "prepared by|granskare|prüfer",
    "ticket": "ticket|issue key|jira|ärende|story",
    "base_commit": "base commit|commit|commit hash|review commit hash|reviewed commit|head|head commit|"
    "sha|git commit|revision|base",
    "version": "version|version reviewed|review version|document version|doc version",
}
_NAME_OF = {name: meaning for meaning, names in _NAMES.items() for name in names.split("|")}
_KNOWN_IN_LINE = re.compile(
    r"(?<![\w/])("
    + "|".join(sorted((*_NAME_OF, "type", "scope", "status"), key=len, reverse=True))
    + r")[*_]{0,3}\s*:[*_]{0,3}\s*",
    re.IGNORECASE,
)
_LABEL_IN_LINE = re.compile(
    r"(?:^|(?<=\s)|(?<=\|))[*_>\s]*([A-Za-zÀ-ÿА-я][A-Za-zÀ-ÿА-я ]{2,24}?)[*_]{0,3}\s*:[*_]{0,3}\s*"
)
_SHA = re.compile(r"\b[0-9a-f]{7,40}\b")
_TITLE_VERSION = re.compile(r"\bv(\d+(?:\.\d+)*)\b", re.IGNORECASE)
_KEY = re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d{1,6}\b")
_VERDICT_LABEL = re.compile(
    r"^[\s>_#-]*(?:(?:final|overall|merge|review)\s+)?(?:verdict|recommendation|decision|assessment|"
    r"approval decision|"
    r"bedömning|вердикт|fazit|ready(?: to merge| for production)?|production ready|overall grade|grade|"
    r"overall rating)\s*"
    r"(?:\([^)]{0,40}\))?\s*[:?]\s*(?P<said>\S.*)$",
    re.IGNORECASE,
)
_LEADING_MARKS = re.compile(rf"^(?:{EMOJI}|[\s>#_-])+")
_VERDICT_WORDS = re.compile(
    r"\b(?:approved?|reject(?:ed)?|do not merge|not ready|ready (?:to|for)|ship|clean|pass(?:ed)?|"
    r"fail(?:ed)?|block(?:ed)?|merge|"
    r"changes requested|issues_found|all_fixed|godkänt|lgtm|must fix|conditional|yes|no|grade|fixed)\b",
    re.IGNORECASE,
)


def title_of(document: Document) -> str | None:
    """The first heading of the first level, else the first heading, else the first line that is not metadata."""
    headings = [section for section in document.sections() if section.parent is not None]
    first = next((section for section in headings if section.level == 1), headings[0] if headings else None)
    if first is not None and first.level < 7:
        return re.sub(rf"^(?:{EMOJI}|\s)+", "", plain(first.title)) or None
    for line in document.lines[document.front.end :]:
        text = plain(line)
        label = _LABEL_IN_LINE.match(text)
        if text and not (label and label[1].strip().lower() in _NAME_OF):
            return text.rstrip(":")[:MAX_VALUE]
    return None


def metadata_of(document: Document) -> Metadata:
    found: dict[str, str] = {}
    for key, value in document.front.pairs:
        meaning = _NAME_OF.get(key.replace("_", " "))
        if meaning is not None and value:
            found.setdefault(meaning, value)
    for line in _head(document):
        for meaning, value in _pairs(line):
            found.setdefault(meaning, value)
    title = title_of(document) or ""
    if "version" not in found:
        version = _TITLE_VERSION.search(title)
        if version:
            found["version"] = version[1]
    return Metadata(
        date=_date(found.get("date"), title),
        reviewer=found.get("reviewer"),
        ticket=_first(_KEY, found.get("ticket")) or found.get("ticket"),
        base_commit=_first(_SHA, found.get("base_commit")),
        version=found.get("version"),
    )


def _head(document: Document) -> Iterator[str]:
    start = document.front.end
    yield from (line[:1_000] for line in document.lines[start : start + HEAD_LINES])


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """(meaning, value) of every label on a line; a line may hold several: `Date: ... Reviewer: ...`."""
    starts = list(_KNOWN_IN_LINE.finditer(line))
    if not starts or line[: starts[0].start(1)].strip(" *_>-|"):
        return
    for at, match in enumerate(starts):
        meaning = _NAME_OF.get(match[1].lower())
        end = starts[at + 1].start(1) if at + 1 < len(starts) else len(line)
        value = plain(line[match.end() : end]).strip(" *_|·•").strip("`")
        if meaning is not None and value:
            yield meaning, value[:MAX_VALUE]


def _first(pattern: re.Pattern[str], value: str | None) -> str | None:
    match = pattern.search(value) if value else None
    return match[0] if match else None


def _date(value: str | None, title: str) -> str | None:
    for text in (value or "", title):
        match = _DATE.search(text) or _LONG_DATE.search(text)
        if match:
            return match[1]
    return value


def verdict_of(outline: Outline, findings: Sequence[ParsedFinding]) -> str | None:
    """A labelled verdict outside the findings, or what a heading called so says; the last one is the final one."""
    document = outline.document
    inside: set[int] = set()
    for finding in findings:
        inside.update(range(finding.line_start, finding.line_end + 1))
    said: list[str] = []
    for number, line in enumerate(document.lines, 1):
        if number <= document.front.end or number in inside or len(line) > 1_000:
            continue
        match = _VERDICT_LABEL.match(_LEADING_MARKS.sub("", plain(line).replace("*", "")))
        if match and _VERDICT_WORDS.search(match["said"]):
            said.append(match["said"].strip("_ ")[:MAX_VERDICT])
    if said:
        return said[-1]
    first = min((finding.line_start for finding in findings), default=HEAD_LINES)
    return _under_heading(outline, inside) or _verdict_status(document, first)


def _under_heading(outline: Outline, inside: set[int]) -> str | None:
    for section in outline.document.sections():
        if section.line in inside:
            continue
        if not re.search(
            r"\b(?:verdict|approval decision|recommendation|conclusion)$",
            plain(section.title).strip(" :*"),
            re.I,
        ):
            continue
        text = _first_bold(section) or _one_line(section)
        if text and _VERDICT_WORDS.search(text):
            return text[:MAX_VERDICT]
    return None


def _one_line(section: Section) -> str:
    """The paragraph of a section that says one short thing."""
    said = [block for block in section.blocks if block.text]
    return plain(said[0].text) if len(said) == 1 and said[0].kind == "paragraph" and "\n" not in said[0].text else ""


def _first_bold(section: Section) -> str | None:
    for block in section.blocks[:2]:
        match = re.match(r"^\W*\*\*(.+?)\*\*", block.text)
        if match:
            return plain(match[1]).strip()
    return None


def _verdict_status(document: Document, before: int) -> str | None:
    status = document.front.get("verdict", "status")
    if status:
        return status
    for line in list(_head(document))[: max(before - 1 - document.front.end, 0)]:
        match = re.match(r"^[\s*_>]*status[*_]*\s*:[*_]*\s*(?P<said>.+)$", line, re.IGNORECASE)
        if match:
            return plain(match["said"]).strip("*_ ")[:MAX_VERDICT]
    return None
