"""The totals a document states, the totals that were found, and where the two disagree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from reviews.importing.document import Block
from reviews.importing.model import SEVERITIES, ParsedFinding
from reviews.importing.regions import Outline
from reviews.importing.titles import plain
from reviews.importing.vocabulary import SEVERITY_ALTERNATION, SEVERITY_WORDS, severity_of, without_marks

MAX_TEXT = 200_000
MAX_COUNT = 100_000

Totals = tuple[tuple[str, int], ...]

_COUNTED = re.compile(rf"(?<![\w.])(\d{{1,5}})\s*x?\s*[*_]{{0,2}}({SEVERITY_ALTERNATION})\b", re.IGNORECASE)
_TOTAL = re.compile(
    r"(?:\btotal(?: (?:issues|findings|bugs|problems))?(?: found| identified| tracked)?\s*[*_]{0,2}\s*[:|"
    r"]\s*[*_]{0,2}\s*(\d{1,5})\b(?!\+))"
    r"|(?:(?<![\w.#-])(\d{1,5})\s+(?:(?:new|distinct|unique|total|open|verified)\s+)?(?:issues|findings|"
    r"bugs|problems|vulnerabilities|concerns)\s+"
    r"(?:were\s+)?(?:found|identified|verified|reported|detected|across|in total))|(?:findings in "
    r"scope\s*[*_]{0,2}:\s*[*_]{0,2}\s*(\d{1,5}))",
    re.IGNORECASE,
)
_LINE_COUNT = re.compile(
    rf"^[\s\-*+>|]*(?:{SEVERITY_ALTERNATION})(?:\s+(?:severity|priority|risk|issues?|findings?|&\s*\w+|"
    rf"/\s*\w+))*[*_]{{0,2}}\s*[:|]\s*"
    r"[*_]{0,2}\s*[*_]{0,2}(\d{1,5})\b(?!\s*[.:/%]\s*\d)",
    re.IGNORECASE,
)


def found(findings: Sequence[ParsedFinding]) -> Totals:
    counts = Counter(finding.severity for finding in findings if finding.severity)
    return (
        ("total", len(findings)),
        *((severity, counts[severity]) for severity in SEVERITIES if counts[severity]),
    )


def stated(outline: Outline) -> Totals:
    """The first place that counts by severity, in the order: front matter, lines, a table of counts, a sentence."""
    counts = _from_front(outline) or _from_lines(outline) or _from_tables(outline) or _from_sentence(outline)
    if "total" not in counts:
        total = _total(outline)
        if total is not None:
            counts["total"] = total
    keys = ("total", *SEVERITIES)
    return tuple((key, counts[key]) for key in keys if key in counts)


def disagreements(said: Totals, read: Totals, without_rejected: Totals) -> tuple[str, ...]:
    """One sentence for each stated total that is not what was found; rejected findings may be counted or not."""
    counted, fewer = dict(read), dict(without_rejected)
    sentences = []
    for key, number in said:
        actual = counted.get(key, 0)
        if number not in (actual, fewer.get(key, 0)):
            what = "findings in all" if key == "total" else f"{key} findings"
            sentences.append(f"The document states {number} {what}; {actual} were found in it.")
    rated = [number for key, number in said if key != "total"]
    total = dict(said).get("total")
    if total is not None and len(rated) > 1 and sum(rated) != total:
        sentences.append(f"The stated totals by severity add up to {sum(rated)}, not to the stated total of {total}.")
    return tuple(sentences)


def _from_front(outline: Outline) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key, value in outline.document.front.pairs:
        name = key.rsplit(".", 1)[-1].replace("_", " ")
        if not value.isdigit() or not (
            key.startswith(("findings", "issues", "totals", "counts")) or name in SEVERITY_WORDS
        ):
            continue
        severity = "total" if name in ("total", "findings in scope", "findings") else severity_of(name)
        if severity is not None:
            counts[severity] = counts.get(severity, 0) + _bounded(value)
    return counts


def _from_tables(outline: Outline) -> dict[str, int]:
    for section in outline.document.sections():
        for block in section.blocks:
            if block.kind == "table":
                counts = _by_rows(block) or _by_columns(block)
                if len([key for key in counts if key != "total"]) >= 2:
                    return counts
    return {}


def _by_rows(table: Block) -> dict[str, int]:
    """| Severity | Count |"""
    counts: dict[str, int] = {}
    for row in table.rows:
        if len(row.cells) < 2:
            return {}
        name = without_marks(plain(row.cells[0])).strip("* ")
        key = "total" if re.match(r"^total\b", name, re.IGNORECASE) else severity_of(name)
        number = re.match(r"^\W*(\d{1,5})\+?\W*$", plain(row.cells[1]))
        if key is not None and number and (key == "total" or len(name.split()) <= 3):
            counts[key] = counts.get(key, 0) + _bounded(number[1])
    return counts


def _by_columns(table: Block) -> dict[str, int]:
    """| Layer | Critical | High | Medium | Low |, with a row of totals or summed up."""
    keys: dict[int, str] = {}
    for at, cell in enumerate(table.header[1:], 1):
        name = plain(cell).strip("* ").lower()
        severity = severity_of(name) if len(name.split()) <= 3 else None
        if name in ("total", "totals"):
            keys[at] = "total"
        elif severity is not None:
            keys[at] = severity
    if len(keys) < 2:
        return {}
    sums: dict[str, int] = {}
    for row in table.rows:
        numbers = {at: re.match(r"^\W*(\d{1,5})\W*$", row.cells[at]) for at in keys if at < len(row.cells)}
        if not numbers or not all(numbers.values()):
            return {}
        values: dict[str, int] = {keys[at]: _bounded(match[1]) for at, match in numbers.items() if match}
        if re.match(r"^\W*(?:grand )?totals?\b", plain(row.cells[0]), re.IGNORECASE):
            return values
        for key, value in values.items():
            sums[key] = sums.get(key, 0) + value
    return sums


def _from_lines(outline: Outline) -> dict[str, int]:
    """`- **High Severity:** 7`, on lines of their own."""
    counts: dict[str, int] = {}
    for line in _prose(outline):
        match = _LINE_COUNT.match(line)
        if match:
            key = severity_of(line)
            if key is not None and key not in counts:
                counts[key] = _bounded(match[1])
    return counts if len(counts) >= 2 else {}


def _from_sentence(outline: Outline) -> dict[str, int]:
    """`3 CRITICAL, 10 IMPORTANT, 6 MINOR.`"""
    for line in _prose(outline):
        counted = _COUNTED.findall(line)
        if len(counted) < 2:
            continue
        counts: dict[str, int] = {}
        for number, word in counted:
            severity = severity_of(word)
            if severity is not None and severity not in counts:
                counts[severity] = _bounded(number)
        if len(counts) >= 2 and not re.search(r"\b(?:previous|prior|last|v\d+ fixed)\b", line, re.IGNORECASE):
            return counts
    return {}


def _total(outline: Outline) -> int | None:
    for line in _prose(outline):
        match = _TOTAL.search(line)
        if match:
            return _bounded(next(group for group in match.groups() if group))
    return None


def _prose(outline: Outline) -> Iterator[str]:
    read = 0
    document = outline.document
    for line in document.lines[document.front.end :]:
        read += len(line)
        if read > MAX_TEXT:
            return
        yield line[:1_000]


def _bounded(number: str) -> int:
    return min(int(number), MAX_COUNT)
