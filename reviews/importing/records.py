"""Lines that open a record without a list mark: `a.py:12: ...`, `[BUG] ...`, `nit: ...`, `issue (blocking): ...`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reviews.importing.vocabulary import label_meaning, leading_severity

MAX_HEAD = 240

# Labels with which reviewers open a comment; what the author wants answered or merely says is no finding.
_WANTED = (
    "issue|suggestion|nit(?:pick)?|todo|chore|typo|polish|bug|fixme|blocker|blocking|must[ -]fix|should[ -]fix|request|"
    "remark|minor|major|critical|security|perf(?:ormance)?|style|warning|error|problem|hint|improvement|change|defect|"
    "fehler|hinweis|vorschlag|mangel|problème|erreur|remarque|problema|error|sugerencia|sugestão|erro|errore|"
    "suggerimento|fel|förslag|fout|suggestie|błąd|uwaga|баг|ошибка|замечание|предложение|помилка|问题|建议|問題|提案|문제|제안"
)
_SAID = (
    "praise|question|thought|note|q|fyi|kudos|lob|"
    "frage|notiz|pregunta|nota|pergunta|domanda|fråga|vraag|вопрос|질문|质疑|质問"
)
COMMENT = re.compile(
    rf"^(?:[^\w\s*`\[]{{1,3}}\s*)?(?P<bold>\*\*|__)?(?P<label>{_WANTED}|{_SAID})"
    r"(?:\s*[(（\[](?P<with>[^()\[\]\n]{1,60})[)）\]])?(?:(?P=bold))?\s*[:：](?:\*\*|__)?\s+(?=\S)",
    re.IGNORECASE,
)
_ONLY_SAID = re.compile(rf"^(?:{_SAID})$", re.IGNORECASE)
PLACE = re.compile(
    r"^(?:[*_]{2})?(?P<tick>`)?(?P<path>(?:[\w@.+~()\[\]-]{1,60}/){0,16}[\w@.+-]{0,60}\.[A-Za-z][A-Za-z0-9]{0,9}"
    r"|(?:[\w@.+~-]{1,60}/){1,16}[\w@.+-]{1,60}|(?:Make|Docker|Jenkins|Proc|Gem)file)"
    r"(?P<lines>(?::|#L?|\s?\(?(?:lines?|L|l\.|zeile|ligne|línea|linha|riga|rad|regel|строка|стр\.)\s?)\d{1,6}"
    r"(?:(?:[-–,:]|-L)\s?\d{1,6}){0,6}\)?)?`?(?:[*_]{2})?"
    r"(?P<gap>\s*(?:[:：]|—|–|-{1,2}(?=\s)|\|)\s*|\s{2,}|\s+(?=\[))(?=\S)"
)
LINE = re.compile(
    r"^(?:line|lines|l\.|l|zeile|ligne|línea|linha|riga|rad|regel|строка|стр\.|"
    r"第)\s?(?P<line>\d{1,6}(?:\s?[-–]\s?\d{1,6})?)\s?行?\s*[:：—–-]\s*(?=\S)",
    re.I,
)
TAG = re.compile(r"^\[(?P<tag>[A-ZА-Я][A-ZА-Я ]{1,20})\]\s*[:—–-]{0,2}\s*(?=\S)")
_MARK = re.compile("^(?:🔴|🟠|🟡|🟢|🔵|⚪|❌|⚠️|⚠|❗|🚨|💡|🐛|🐞)")
_COLON = re.compile(r"^\s*(?:\([^()\n]{1,40}\))?\s*[*_\])]{0,3}\s*[:：—–|-]")


COMMIT = re.compile(r"^(?:[0-9a-f]{4,40}|r\d{1,6})(?:\s*[:—–-])?\s+(?=\S)")
KIND = re.compile(
    r"^(?P<kind>BUG|PERF|SEC(?:URITY)?|DOCS?|TESTS?|STYLE|FIXME|TODO|NIT|WARN(?:ING)?|ERROR|INFO|CRITICAL|"
    r"HIGH|MEDIUM|LOW|"
    r"ISSUE|TYPO|RACE|LEAK|API|UX|BLOCKER|MAJOR|MINOR)\b\s*[:—–-]?\s+(?=\S)"
)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment's label, what stands in brackets behind it, and where its text begins."""

    label: str
    qualifiers: str
    start: int
    wanted: bool


def comment_in(text: str) -> Comment | None:
    match = COMMENT.match(text[:MAX_HEAD])
    if match is None:
        return None
    label = match["label"].lower()
    return Comment(label, (match["with"] or "").strip(), match.end(), not _ONLY_SAID.match(label))


def place_in(text: str) -> re.Match[str] | None:
    """A path, with or without lines, and what parts it from the text behind it."""
    match = PLACE.match(text[:MAX_HEAD])
    return None if match is None or "://" in match[0] else match


def opens_record(text: str) -> str | None:
    """Which kind of record the text opens, or None."""
    head = text.lstrip()[:MAX_HEAD]
    place = place_in(head)
    if place is not None and (place["lines"] or "/" in place["path"]):
        return "place"
    if TAG.match(head):
        return "tag"
    if _MARK.match(head):
        return "mark"
    comment = comment_in(head)
    if comment is not None:
        # `Issue: ...` alone may as well be the first part of a finding; `nit: ...` and `issue (blocking): ...` are not.
        return "comment" if comment.qualifiers or label_meaning(comment.label) is None else "label"
    if LINE.match(head):
        return "line"
    severity = leading_severity(head)
    if severity is not None and _COLON.match(severity[2]) and not head.startswith(("*", "_")):
        return "severity"
    return None


def opens_note(line: str) -> bool:
    """A line of a log: behind a commit, or with a kind or a place in front, and not a command or its output."""
    head = line.strip()[:MAX_HEAD]
    if COMMIT.match(head) and not head.isdigit():
        return True
    place = place_in(head)
    return KIND.match(head) is not None or (place is not None and bool(place["lines"]))
