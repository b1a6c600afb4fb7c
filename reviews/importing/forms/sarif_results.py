"""One result of a SARIF run as a finding, or left out with the reason."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from reviews.importing.forms.gathering import Gathering, Lines, fingerprint
from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.markup import without_html
from reviews.importing.forms.sarif_places import Bases, Place, places, steps
from reviews.importing.forms.sarif_rules import Rule, Tools, category_of, level_of
from reviews.importing.forms.values import (
    clipped,
    cvss_severity,
    cwes,
    first_line,
    inside,
    line_text,
    listed,
    number,
    objects,
    text_of,
)
from reviews.importing.model import ParsedFinding, Severity, Status

MAX_TITLE: Final = 300
MAX_BODY: Final = 4_000
REMEMBERED: Final = 1_000

_LEVELS: Final[dict[str, Severity]] = {"error": "high", "warning": "medium", "note": "low", "none": "info"}
_LEFT_OUT: Final = {
    "pass": "the tool says that this passed (kind: pass)",
    "notApplicable": "the tool says that its rule does not apply here (kind: notApplicable)",
}
_KINDS: Final = frozenset({"fail", "open", "review", "informational", *_LEFT_OUT})
_BASELINES: Final[dict[str, Status]] = {"new": "open", "unchanged": "open", "updated": "open", "absent": "fixed"}
_LINK: Final = re.compile(r"(?<!\\)\[((?:[^\[\]\\]|\\.){1,300})\]\([^()\s]{1,300}\)")
_ESCAPED: Final = re.compile(r"\\([\[\]\\])")
_HOLE: Final = re.compile(r"\{(\d{1,2})\}|\{\{|\}\}")
_SENTENCE: Final = re.compile(r"^(.{20,}?[.!?])\s+(?=[A-Z\[(`'\"])")


@dataclass(frozen=True, slots=True)
class Run:
    """What a result needs of its run."""

    tool: str
    number: int
    tools: Tools
    bases: Bases
    levels: Mapping[str, str]


def read_result(document: JsonDocument, span: Span, run: Run, gathering: Gathering) -> None:
    lines = document.lines(span)
    result = document.load(span)
    if not isinstance(result, dict):
        gathering.leave_out(lines, "", "a result that is no object")
        return
    rule_id, rule, missing = run.tools.rule_of(result)
    if missing:
        gathering.warn("ruleIndex points to no rule of the tool", lines[0])
    message = _message(result.get("message"), rule, run)
    title = _title(message, rule, rule_id)
    kind = result.get("kind") if isinstance(result.get("kind"), str) else None
    if kind is not None and kind not in _KINDS:
        gathering.warn("`kind` is none that SARIF knows and counts as fail", lines[0])
    if kind in _LEFT_OUT:
        gathering.leave_out(lines, title, _LEFT_OUT[kind])
    elif not title:
        gathering.leave_out(lines, "", "a result without a message, whose rule has no words either")
    else:
        _add(result, _Read(lines, rule_id, rule, message, title, kind or "fail"), run, gathering)


@dataclass(frozen=True, slots=True)
class _Read:
    lines: Lines
    rule_id: str
    rule: Rule | None
    message: str
    title: str
    kind: str


def _add(result: Mapping[str, Any], read: _Read, run: Run, gathering: Gathering) -> None:
    found = list(places(result.get("locations"), run.bases))
    related = list(places(result.get("relatedLocations"), run.bases))
    if any(place.wrong for place in (*found, *related)):
        gathering.warn("A line of a location is no number of a line and was left away", read.lines[0])
    severity, written = _severity(result, read, run)
    status, reason = _status(result, gathering, read.lines[0])
    files = tuple(dict.fromkeys(place.file for place in found if place.file))
    properties = result.get("properties")
    tags = [line_text(tag, 100) for tag in listed(inside(properties, "tags"))]
    category = category_of(properties, tags) or (read.rule.category if read.rule else "")
    taxa = (*run.tools.taxa_of(result.get("taxa")), *(read.rule.taxa if read.rule else ()), *cwes(*tags))
    gathering.add(
        ParsedFinding(
            title=read.title,
            line_start=read.lines[0],
            line_end=read.lines[1],
            reason=sys.intern(f"a result of {run.tool}" + (f" in run {run.number}" if run.number > 1 else "")),
            confidence=1.0,
            severity=severity,
            severity_as_written=sys.intern(written) if written else None,
            category=sys.intern(category) if category else None,
            files=files,
            status=status,
            status_reason=reason or None,
            body=_body(result, read, related, run),
            fields=_fields(result, read, found, tuple(dict.fromkeys(taxa)), run),
            fingerprints=_fingerprints(result, run.tool),
            rule=sys.intern(read.rule_id) if read.rule_id else None,
        ),
        basis="\0".join(
            (
                run.tool,
                read.rule_id,
                files[0].partition(":")[0] if files else "",
                found[0].snippet if found else "",
                read.message or read.title,
            )
        ),
    )


def _message(said: object, rule: Rule | None, run: Run) -> str:
    """The words of a message: written out, or the tool's own string of that id with its holes filled."""
    text = text_of(inside(said, "text"))
    if not text and (key := line_text(inside(said, "id"))):
        text = (rule.messages.get(key) if rule else None) or run.tools.driver.messages.get(key, "")
    if not text:
        text = without_html(text_of(inside(said, "markdown")))
    arguments = [text_of(argument, 300) for argument in listed(inside(said, "arguments"))]
    if arguments:
        text = clipped(_HOLE.sub(lambda hole: _filled(hole, arguments), text), MAX_BODY)
    return _ESCAPED.sub(r"\1", _LINK.sub(r"\1", text))


def _filled(hole: re.Match[str], arguments: list[str]) -> str:
    if hole[1] is None:
        return hole[0][0]
    at = int(hole[1])
    return arguments[at] if at < len(arguments) else hole[0]


def _title(message: str, rule: Rule | None, rule_id: str) -> str:
    """The message's first sentence; where there is no message, what the rule says of itself."""
    line = first_line(message)
    sentence = _SENTENCE.match(line[: MAX_TITLE * 2])
    words = sentence[1] if sentence else line
    if not words and rule is not None:
        words = first_line(rule.short) or first_line(rule.full) or rule.name
    return line_text(words or rule_id, MAX_TITLE)


def _severity(result: Mapping[str, Any], read: _Read, run: Run) -> tuple[Severity | None, str | None]:
    """The score says more than the level; a level that is stated more than the rule's, and that more than a rank."""
    if read.kind == "informational":
        return "info", "informational"
    rule = read.rule
    score = number(inside(result, "properties", "security-severity"))
    score = score if cvss_severity(score) else rule.security if rule else None
    severity = cvss_severity(score)
    if severity is not None:
        return severity, f"security-severity {score:g}"
    level = level_of(result.get("level"))
    stated = level or level_of(run.levels.get(read.rule_id)) or (rule.level if rule else "")
    if stated:
        return _LEVELS[stated], stated
    written = result.get("level")
    if written is not None:
        return None, line_text(written, 40) or None
    rank = number(result.get("rank"))
    rank = rank if rank is not None and rank >= 0 else rule.rank if rule else None
    if rank is not None and 0 <= rank <= 100:
        return _ranked(rank), f"rank {rank:g}"
    # By the standard, a failure of which nothing is said is a warning.
    return ("medium" if read.kind == "fail" else "info"), None


def _ranked(rank: float) -> Severity:
    return "critical" if rank >= 90 else "high" if rank >= 70 else "medium" if rank >= 40 else "low"


def _status(result: Mapping[str, Any], gathering: Gathering, line: int) -> tuple[Status | None, str]:
    """What is gone is fixed; what somebody suppressed is rejected, unless a suppression of it is not accepted."""
    baseline = result.get("baselineState")
    stated = _BASELINES.get(baseline) if isinstance(baseline, str) else None
    if baseline is not None and stated is None:
        gathering.warn("`baselineState` is none that SARIF knows and was left away", line)
    if stated == "fixed":
        return "fixed", "no longer found (baselineState: absent)"
    suppressions = list(objects(result.get("suppressions")))
    if not suppressions:
        return stated or ("open" if result.get("kind") in ("open", "review") else None), ""
    states = [_suppression(one) for one in suppressions]
    why = "; ".join(dict.fromkeys(filter(None, (line_text(one.get("justification")) for one in suppressions))))
    if "underReview" in states:
        return "open", clipped(f"suppression under review{f': {why}' if why else ''}", MAX_TITLE * 2)
    if "rejected" in states:
        return "open", clipped(f"suppression rejected{f': {why}' if why else ''}", MAX_TITLE * 2)
    kinds = ", ".join(dict.fromkeys(line_text(one.get("kind"), 40) or "unknown kind" for one in suppressions))
    return "rejected", clipped(why, MAX_TITLE * 2) or f"suppressed ({kinds}), without a justification"


def _suppression(one: Mapping[str, Any]) -> str:
    said = one.get("status", one.get("state"))
    # Left away it is accepted; a word that SARIF does not know suppresses nothing.
    return "accepted" if said is None else said if said in ("accepted", "underReview") else "rejected"


def _body(result: Mapping[str, Any], read: _Read, related: list[Place], run: Run) -> str:
    parts = [read.message]
    rule = read.rule
    if rule is not None:
        parts.extend(words for words in (rule.short, rule.full) if words and words not in read.message)
    told = [" ".join(filter(None, (place.file, place.message))) for place in related]
    if any(told):
        parts.append("Related:\n" + "\n".join(f"- {one}" for one in told if one))
    way = steps(result.get("codeFlows"), run.bases)
    if way:
        parts.append("Way through the code:\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(way, 1)))
    return clipped("\n\n".join(dict.fromkeys(part for part in parts if part)), MAX_BODY)


def _fields(
    result: Mapping[str, Any], read: _Read, found: list[Place], taxa: tuple[str, ...], run: Run
) -> tuple[tuple[str, str], ...]:
    baseline = line_text(result.get("baselineState"), 40)
    pairs = (
        ("Tool", run.tool),
        ("Rule", " ".join(dict.fromkeys(filter(None, (read.rule_id, read.rule.name if read.rule else ""))))),
        ("Weakness", ", ".join(taxa[:20])),
        ("Kind", read.kind if read.kind != "fail" else ""),
        ("Baseline", baseline),
        ("Where", ", ".join(dict.fromkeys(place.logical for place in found if place.logical))),
        ("More", read.rule.help_uri if read.rule else ""),
    )
    return _once(tuple((label, clipped(value, 600)) for label, value in pairs if value))


@lru_cache(maxsize=REMEMBERED)
def _once(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Results of one rule share them, for of a large document each must not have its own."""
    return pairs


def _fingerprints(result: Mapping[str, Any], tool: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for key in ("fingerprints", "partialFingerprints"):
        said = result.get(key)
        for name, value in list(said.items())[:20] if isinstance(said, dict) else ():
            if text := line_text(value, 2_000):
                found.append(fingerprint(f"{tool}:{line_text(name, 80)}", text))
    if guid := line_text(result.get("correlationGuid"), 100):
        found.append(fingerprint(f"{tool}:correlationGuid", guid))
    return tuple(dict.fromkeys(found))
