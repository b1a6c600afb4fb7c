"""How a check went, in the words and marks people use, and how many tests passed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reviews.importing.model import Outcome
from reviews.importing.titles import EMOJI

MAX_LINE = 600
MAX_CUTS = 40

_MARKS: tuple[tuple[Outcome, str], ...] = (
    ("passed", "✅✔✓☑🟢👍"),
    ("failed", "❌✗✘✖🔴⛔🚫"),
    ("skipped", "⏭⏸⏩➖⚪🚧"),
    ("unknown", "⚠🟡🟠⏳❓🔄"),
)
_MARK_OF: dict[str, Outcome] = {mark: outcome for outcome, marks in _MARKS for mark in marks}
_ANY_MARK = "[" + "".join(_MARK_OF) + "]"
_MARK_FIRST = re.compile(rf"^[\s*_~`(\[]{{0,8}}(?P<mark>{_ANY_MARK})\ufe0f?[\s*_]{{0,4}}")
_MARK_LAST = re.compile(rf"[\s(]{{0,3}}(?P<mark>{_ANY_MARK})\ufe0f?[\s).*_]{{0,4}}$")

_SKIPPED = (
    r"skip(?:ped|s|ping)?|not (?:run|executed|tested|exercised|performed|checked|applicable|available)|n/?a|omitted|"
    r"disabled|deferred|übersprungen|hoppad\w* över|пропущен\w*|跳过"
)
_UNKNOWN = (
    r"unknown|pending|to ?do|tbd|not yet\b.{0,20}|partial(?:ly)?|inconclusive|flaky|warn(?:ing)?s?|unverified|"
    r"in progress|running"
)
_FAILED = (
    r"fail(?:ed|s|ing|ures?)?|error(?:s|ed)?|broken|red|not (?:ok|pass\w*|clean|green)|does(?:n't| not) pass|"
    r"exit(?: code)?:? [1-9]\d{0,2}|time[sd]? ?out|crash(?:ed|es)?|underkän[dt]\w*|fehlgeschlagen|провален\w*|失败"
)
_PASSED = (
    r"pass(?:ed|es|ing)?|ok(?:ay)?|success(?:ful(?:ly)?)?|succeed(?:ed|s)?|green|clean|verified|confirmed|good|done|"
    r"yes|(?:no|0|zero|noll) (?:[\w-]+ ){0,2}(?:errors?|failures?|warnings?|issues?|problems?|violations?|findings?|"
    r"fel|diffs?|changes?)|exit(?: code)?:? 0|all (?:[\w/.-]+ ){0,4}(?:pass(?:ed|ing|es)?|green|ok|clean|good)|"
    r"godkän[dt]\w*|bestanden|erfolgreich|пройден\w*|успешно|通过"
)
_WORDS = re.compile(
    rf"^(?:(?P<skipped>{_SKIPPED})|(?P<unknown>{_UNKNOWN})|(?P<failed>{_FAILED})|(?P<passed>{_PASSED}))(?![\w-])",
    re.IGNORECASE,
)
_COUNT_FIRST = re.compile(r"^(?:all )?\d[\d,]* ?(?:/|of|out of|\w+ ){0,3}", re.IGNORECASE)
_OF = re.compile(
    r"(?<![\w./])(?P<passed>\d{1,6}) ?(?:/|of|out of) ?(?P<total>\d{1,6})(?![\d/])"
    r"(?=[\s)*_,:—–-]{0,3}(?:[\w-]+[ ]){0,4}(?:pass|green|ok\b|succe|✅|✓|✔))",
    re.IGNORECASE,
)
_OF_AFTER = re.compile(
    r"(?:pass(?:ed|ing)?|green|ok)\W{1,4}(?P<passed>\d{1,6}) ?(?:/|of|out of) ?(?P<total>\d{1,6})(?![\d/])",
    re.IGNORECASE,
)
_PASSED_COUNT = re.compile(
    r"(?<![\w./])(?P<n>\d{1,6}) (?:[a-z-]+ ){0,3}?(?:pass(?:ed|es|ing)?|green|succeed(?:ed)?)\b", re.IGNORECASE
)
_FAILED_COUNT = re.compile(
    r"(?<![\w./])(?P<n>\d{1,6}) (?:[a-z-]+ ){0,2}?(?:fail(?:ed|s|ing|ures?)?|errors?)\b", re.IGNORECASE
)
_SKIPPED_COUNT = re.compile(r"(?<![\w./])[1-9]\d{0,5} (?:[a-z-]+ ){0,2}?skipped\b", re.IGNORECASE)
_CUT = re.compile(r"\s+(?:[—–]|--?|->|=>|→|⇒|\||=)\s+|\s*:\s+|\s{2,}|\t|\s\.{2,}\s*")
_FIRST_WORD = re.compile(
    r"^(?:-{3} )?[*_`\[(]{0,4}(?P<word>PASS(?:ED)?|FAIL(?:ED)?|OK|ok|SKIP(?:PED)?|ERROR|N/A)[*_`\])]{0,4}(?=[\s:])"
    r"[\s:—–-]{1,6}(?P<name>\S.*)$"
)
_LAST_WORD = re.compile(
    r"^(?P<name>\S.*?) (?P<no>(?:do |does |did )?not |(?:do|does|did)n't |never )?"
    r"(?P<word>PASS|OK|pass(?:ed|es|ing)?|fail(?:ed|s|ing)?|succeed(?:ed|s)?|skipped|PASSED|FAILED|FAIL|SKIPPED)"
    r"(?P<detail> ?\([^()]{0,200}\))?[.!]?$"
)


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a check, read."""

    name: str
    outcome: Outcome
    detail: str


def outcome_of(text: str) -> Outcome | None:
    """The outcome that the start of a text names; None when it names none."""
    text = " ".join(text[:MAX_LINE].split())
    mark = _MARK_FIRST.match(text)
    if mark is not None:
        return _MARK_OF[mark["mark"]]
    return _worded(text.strip("*_~`([{ ")) or _last_mark(text)


def _worded(text: str) -> Outcome | None:
    match = _WORDS.match(text)
    if match is not None:
        outcome = next((name for name, _ in _MARKS if match[name]), None)
        return "failed" if outcome == "passed" and _failures(text) else outcome
    if not _COUNT_FIRST.match(text):
        return None
    counted = tests_in(text)
    if counted is not None:
        return "passed" if counted[0] == counted[1] else "failed"
    if _failures(text):
        return "failed"
    return "skipped" if _SKIPPED_COUNT.match(text) else None


def _failures(text: str) -> int:
    return sum(int(match["n"]) for match in _FAILED_COUNT.finditer(text))


def _last_mark(text: str) -> Outcome | None:
    mark = _MARK_LAST.search(text[-12:])
    return None if mark is None else _MARK_OF[mark["mark"]]


def tests_in(text: str) -> tuple[int, int] | None:
    """(passed, total) over all counts that a text states: `6/6 pass`, `40 passed, 2 failed`."""
    text = text[: MAX_LINE * 8]
    passed = total = 0
    found = False
    rest = text
    for pattern in (_OF, _OF_AFTER):
        for match in pattern.finditer(rest):
            found = True
            passed, total = passed + int(match["passed"]), total + int(match["total"])
        rest = pattern.sub(" ; ", rest)
    for match in _PASSED_COUNT.finditer(rest):
        found = True
        passed, total = passed + int(match["n"]), total + int(match["n"])
    if found or re.search(r"\btests?\b", rest, re.IGNORECASE):
        failures = _failures(rest)
        found, total = found or failures > 0, total + failures
    return (passed, total) if found else None


def read_line(text: str) -> Said | None:
    """`go vet ./... — PASS (all packages)`, `PASS: lint`, `lint passes`, `✅ lint`; None where no outcome is said."""
    text = text.strip()
    if not text or len(text) > MAX_LINE:
        return None
    first = _MARK_FIRST.match(text)
    if first is not None:
        return _marked(text[first.end() :], _MARK_OF[first["mark"]])
    word = _FIRST_WORD.match(text)
    if word is not None:
        outcome = _worded(word["word"])
        return None if outcome is None else Said(_tidy(word["name"]), outcome, "")
    return _cut(text) or _last(text)


def _marked(rest: str, outcome: Outcome) -> Said | None:
    """After a mark: its own word, if there, is no part of the name."""
    word = _FIRST_WORD.match(rest)
    name = word["name"] if word else rest
    said = _cut(name)
    if said is not None and said.outcome == outcome:
        return said
    return Said(_tidy(name), outcome, "") if re.search(r"\w", name) else None


def _cut(text: str) -> Said | None:
    for count, match in enumerate(_CUT.finditer(text)):
        right = text[match.end() :]
        outcome = outcome_of(right) if count < MAX_CUTS else None
        if outcome is not None and re.search(r"\w", text[: match.start()]):
            return Said(_tidy(text[: match.start()]), outcome, detail_of(right))
    return None


def _last(text: str) -> Said | None:
    mark = _last_mark(text)
    if mark is not None:
        name = text[: -len(text[-12:])] + _MARK_LAST.sub("", text[-12:])
        return Said(_tidy(name), mark, "") if re.search(r"\w", name) else None
    match = _LAST_WORD.match(" ".join(text.split()))
    if match is None:
        return None
    outcome = "failed" if match["no"] else _worded(match["word"])
    return None if outcome is None else Said(_tidy(match["name"]), outcome, (match["detail"] or "").strip(" ()"))


def detail_of(said: str) -> str:
    """What is said besides the bare outcome: `PASS (all 20 packages)` leaves `all 20 packages`."""
    text = re.sub(rf"^(?:{EMOJI}|\s)+|(?:{EMOJI}|\s)+$", "", said).strip()
    bare = _WORDS.match(text.strip("*_`"))
    if bare is not None and re.match(r"^(?:pass|fail|ok|skip|success)", bare[0], re.IGNORECASE):
        rest = text.strip("*_`")[bare.end() :].strip("*_` ")
        rest = re.sub(r"^[.,;:—–-]+\s*", "", rest)
        whole = re.fullmatch(r"\(([^()]*)\)\.?", rest)
        return (whole[1] if whole else rest).strip()
    return text


def _tidy(name: str) -> str:
    name = re.sub(r"^(?:\$|>|%)\s+", "", name.strip())
    return " ".join(name.split()).strip(" *_:—–").strip()
