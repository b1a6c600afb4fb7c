"""What stands before the title of an item: a comment's label, a place in the code, a tag in capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reviews.importing.document import Block
from reviews.importing.model import Severity
from reviews.importing.records import COMMIT, KIND, LINE, TAG, Comment, comment_in, place_in
from reviews.importing.titles import TitleParts
from reviews.importing.vocabulary import SEVERITY_WORDS, label_meaning, status_of

_LABELLED = re.compile(r"^[*_]{0,2}[^\W\d_][\w '’/()-]{1,30}\s?[:：](?:[*_]{2})?(?:\s|$)")
_AFTER_KIND = re.compile(r"^[\w./@+-]{3,160}:\d{1,6}(?:[-:]\d{1,6}){0,3}\s+(?=\w)")


@dataclass(frozen=True, slots=True)
class Opening:
    """`text` is the item without what stood before its title; `unwanted` says why it asks for nothing."""

    text: str
    severity: Severity | None = None
    severity_as_written: str | None = None
    status_as_written: str | None = None
    marked: bool = False
    unwanted: str | None = None
    line: str = ""

    def put_on(self, parts: TitleParts) -> TitleParts:
        if self.severity is not None and parts.severity is None:
            parts = replace(parts, severity=self.severity, severity_as_written=self.severity_as_written)
        if self.status_as_written is not None and parts.status is None:
            said = self.status_as_written
            parts = replace(parts, status=status_of(said), status_as_written=said)
        return parts


def opening_of(block: Block) -> Opening:
    """Take apart what stands before the title of an item: `nit: ...`, `a.py:12 - ...`, `[BUG] ...`."""
    found = Opening(block.text if _form_line(block) else _title_lines(block.text))
    for take in (_take_form, _take_log, _take_line, _take_place, _take_tag, _take_comment):
        found = take(found, block)
        if found.unwanted is not None:
            break
    return found


def _title_lines(text: str) -> str:
    """The text up to the first line that is a labelled part or a place of its own."""
    lines = text.split("\n")
    for at, line in enumerate(lines[1:], 1):
        bare = line.strip()
        if _part_line(bare) or (place_in(bare) is not None and not _open_ended(lines[at - 1])):
            return "\n".join(lines[:at])
    return text


def _part_line(line: str) -> bool:
    return bool(_LABELLED.match(line)) and label_meaning(line.split(":")[0].split("：")[0]) is not None


def _open_ended(line: str) -> bool:
    return line.rstrip().endswith((",", ";", "(", " in", " at", " of", " and"))


def _form_line(block: Block) -> str:
    """The line of a form that names the problem."""
    if not block.record or "\n" not in block.text or comment_in(block.text) is not None:
        return ""
    lines = block.text.split("\n")
    said = [line for line in lines if _LABELLED.match(line)]
    named = [line for line in said if label_meaning(_label(line)) == "issue"]
    return (named or [""])[0] if len(said) * 2 > len(lines) else ""


def _label(line: str) -> str:
    return re.split("[:：]", line, maxsplit=1)[0]


def _take_form(found: Opening, block: Block) -> Opening:
    line = _form_line(block)
    return replace(found, text=re.split("[:：]", line, maxsplit=1)[1].strip(" *_"), marked=True) if line else found


def _take_log(found: Opening, block: Block) -> Opening:
    if not block.logged:
        return found
    commit = COMMIT.match(found.text)
    text = found.text[commit.end() :] if commit else found.text
    kind = KIND.match(text)
    if kind is None:
        return replace(found, text=text)
    severity = SEVERITY_WORDS.get(kind["kind"].lower())
    rest = _AFTER_KIND.sub("", text[kind.end() :])
    written = kind["kind"] if severity is not None else None
    return replace(found, text=rest, severity=severity, severity_as_written=written, marked=True)


def _take_line(found: Opening, block: Block) -> Opening:
    line = LINE.match(found.text)
    return replace(found, text=found.text[line.end() :], line=line["line"], marked=True) if line else found


def _take_place(found: Opening, block: Block) -> Opening:
    place = place_in(found.text)
    if place is None or not (place["lines"] or block.record):
        return found
    rest = found.text[place.end() :]
    return replace(found, text=rest, marked=True) if re.search(r"\w{2}", rest) else found


def _take_tag(found: Opening, block: Block) -> Opening:
    tag = TAG.match(found.text) if block.record else None
    if tag is None:
        return found
    said, rest = tag["tag"], found.text[tag.end() :]
    severity, status = SEVERITY_WORDS.get(said.lower()), status_of(said)
    comment = comment_in(f"{said}: x")
    if severity is None and status is None and (comment is None or not comment.wanted):
        return replace(found, unwanted=f"tagged {said}")
    written = said if severity is not None else None
    return Opening(rest, severity, written, said if status is not None else None, marked=True)


def _take_comment(found: Opening, block: Block) -> Opening:
    comment = comment_in(found.text)
    if comment is None or not (block.record or comment.qualifiers or label_meaning(comment.label) is None):
        return found
    if not comment.wanted:
        return replace(found, unwanted=f"a comment labelled {comment.label}")
    severity, written = _severity(comment)
    return replace(found, text=found.text[comment.start :], severity=severity, severity_as_written=written, marked=True)


def _severity(comment: Comment) -> tuple[Severity | None, str | None]:
    for said in (*(part.strip() for part in comment.qualifiers.split(",")), comment.label):
        severity = SEVERITY_WORDS.get(said.lower())
        if severity is not None:
            return severity, said
    return None, None
