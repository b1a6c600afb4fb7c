"""What a reviewer's remark on a line says: its title, its severity, or that it asks for nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reviews.importing.forms.markup import without_html
from reviews.importing.forms.values import line_text
from reviews.importing.model import Severity
from reviews.importing.titles import plain, read_title
from reviews.importing.vocabulary import severity_of

MAX_TITLE: Final = 200
MAX_LOOKED_AT: Final = 4_000

# Conventional comments: `issue (blocking): ...`, `praise: ...`.
_LABEL: Final = re.compile(
    r"^[*_]{0,2}(?P<label>praise|nitpick|nit|suggestion|issue|todo|question|thought|chore|note|typo|polish|quibble|fyi)"
    r"\s*(?:\((?P<marks>[^()\n]{1,60})\))?\s*[*_]{0,2}\s*:\s*[*_]{0,2}\s*(?=\S)",
    re.IGNORECASE,
)
_ASKS_NOTHING: Final = frozenset({"praise", "thought", "note", "fyi"})
_PRAISE: Final = re.compile(
    r"^(?:lgtm|looks (?:good|great)(?: to me)?|(?:very )?(?:nice|good|great|neat|cool|clean|lovely)(?: \w+){0,3}"
    r"|thanks?(?: you)?(?: \w+){0,4}|done|fixed|agreed|ok(?:ay)?|perfect|awesome|:?\+1:?|👍|❤️|🎉|🚀|✅)"
    r"(?:[\s.!,👍🎉🚀❤️]|:\w+:)*$",
    re.IGNORECASE,
)
_BADGE: Final = re.compile(r"!\[([^\]\n]{0,80})\]\([^)\s]{0,500}\)")
_FENCE: Final = re.compile(r"^(?:```|~~~)[^\n]*\n.*?(?:^(?:```|~~~)[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_QUOTED: Final = re.compile(r"^>.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Remark:
    """`nothing` says why it asks for nothing; None where it is a finding."""

    title: str
    severity: Severity | None = None
    written: str | None = None
    category: str | None = None
    nothing: str | None = None


def read_remark(body: str) -> Remark:
    """Take a remark apart; code, quotations and HTML in it are no title."""
    text = without_html(_QUOTED.sub("", _FENCE.sub("", body[:MAX_LOOKED_AT])))
    lines = [line.strip() for line in text.split("\n") if re.search(r"\w|[^\x00-\x7f]", line)]
    if not lines:
        what = "a suggested change" if body.strip() else ""
        return Remark(what, nothing=None if what else "a remark without words")
    line, badge = lines[0], next(iter(_BADGE.findall(lines[0])), "")
    bare = _BADGE.sub("", line).strip(" *_|")
    rating = severity_of(badge) if badge else None
    if len(lines) > 1 and (not bare or (_only_rates(line) and severity_of(_last_part(line)))):
        rating, badge = rating or severity_of(_last_part(line)), badge or plain(_last_part(line))
        line = lines[1]
    line = _BADGE.sub("", line).strip()
    if _PRAISE.match(line) and len(lines) == 1:
        return Remark(line_text(line, MAX_TITLE), nothing="a word of praise, thanks or assent")
    return _labelled(line, rating, badge)


def _labelled(line: str, rating: Severity | None, badge: str) -> Remark:
    label = _LABEL.match(line)
    if label is None:
        parts = read_title(line)
        severity = rating or parts.severity
        written = badge if rating else parts.severity_as_written
        return Remark(line_text(parts.title or plain(line), MAX_TITLE), severity, written)
    word, marks = label["label"].lower(), label["marks"] or ""
    severity = rating or severity_of(marks) or severity_of(word)
    title = line_text(plain(line[label.end() :]), MAX_TITLE)
    nothing = f"a remark that asks for nothing ({word})" if word in _ASKS_NOTHING else None
    return Remark(title, severity, f"{word} ({marks})" if marks else word if severity else None, word, nothing)


def _only_rates(line: str) -> bool:
    """A first line of tags alone: `_Potential issue_ | _Major_`."""
    return len(line) <= 80 and line[0] in "_*`" and line[-1] in "_*`"


def _last_part(line: str) -> str:
    return line.rpartition("|")[2].strip(" *_`")
