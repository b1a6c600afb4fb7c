"""What a document is as a whole, where that alone says that nothing in it is a finding: guidance, or an empty form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from reviews.importing import decoys
from reviews.importing.document import Document
from reviews.importing.vocabulary import leading_severity

GUIDE = "the document is guidance, not a review"
TEMPLATE = "the document is a form that nobody has filled in"
PROMPT = "the document tells an agent or a reviewer what to do"

MAX_LINES = 4_000
OPENING = 2
MAX_LINE = 400
MIN_BLANKS = 4
MAX_PER_BLANK = 25

_MARKS = re.compile(r"^[\s>#*+\-\d.)|]+")
_LABEL = re.compile(r"^[^\n:：<\[]{2,40}[:：][*_]{0,2}\s*")
# `<what was found>`, `[Your name]`, `YYYY-MM-DD`: where an answer stands, words that say what to answer.
_BLANK = re.compile(
    r"^[`*_\"]{0,3}(?:<(?P<angle>\w[^<>`=/]{1,80})>|\[(?P<boxed>[^\W\d_][^\[\]`]{2,80})\]|\{{1,2}\w[^{}]{1,60}\}{1,2}|YYYY-MM-DD|"
    r"_{4,}|\.{4,})[`*_\".]{0,3}$",
    re.IGNORECASE,
)
# The first words of a prompt give its reader a part to play.
_ADDRESS = re.compile(
    r"^\W{0,12}(?:you are (?:an?|the|now)\b|act as\b|du bist|tu es|vous êtes|eres (?:una?|el|la)\b|você é|sei un|"
    r"je bent|du är|jesteś|ты\s?[—–-]|вы\s?[—–-]|ти\s?[—–-]|你是|您是|あなたは|당신은)",
    re.IGNORECASE,
)
# All the answers at once, to choose from.
_CHOICE = re.compile(r"^[`*_\[<(]{0,3}\w[\w ]{0,20}(?:\s?[|/]\s?\w[\w ]{0,20}){2,6}[`*_\]>)]{0,3}$")
_RATED = re.compile(r"\b(?:critical|high|medium|low|open|fixed|pass|fail)\b", re.IGNORECASE)
_REPORT = re.compile(
    r"finding|report|bugs\b|issues|review of|bericht|rapport|informe|relatório|relazione|verslag|raport|"
    r"отч[её]т|звіт|报告|"
    r"報告|보고서",
    re.IGNORECASE,
)


def whole_of(document: Document, title: str, *, counts: bool) -> str | None:
    """Why the document as a whole lists no findings; `counts` tells that the author lists things under refs."""
    if _instructs(document):
        return PROMPT
    blanks = sum(1 for _ in _blanks(document))
    if blanks >= MIN_BLANKS and blanks * MAX_PER_BLANK >= sum(1 for line in document.lines if line.strip()):
        return TEMPLATE
    if not counts and decoys.guide_title(title) and not _REPORT.search(title):
        return GUIDE
    return None


def _instructs(document: Document) -> bool:
    """A skill or an agent by its front matter, or a prompt by its first words."""
    keys = {key for key, _ in document.front.pairs}
    if {"name", "description"} <= keys:
        return True
    prose = (line for line in document.lines[document.front.end :] if re.match(r"[^#|\s].*\w", line))
    return any(_ADDRESS.match(line[:MAX_LINE]) for line in list(islice(prose, OPENING)))


def _blanks(document: Document) -> Iterator[int]:
    fenced = False
    for number, line in enumerate(document.lines[:MAX_LINES], 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if fenced or len(line) > MAX_LINE:
            continue
        text = _MARKS.sub("", line).strip()
        said = _LABEL.sub("", text)
        if _blank(said, labelled=said != text) or (_CHOICE.match(said) and len(_RATED.findall(said)) > 2):
            yield number


def _blank(said: str, *, labelled: bool) -> bool:
    """Where no label stands before it, one word in brackets is a tag of HTML or a heading set in brackets."""
    match = _BLANK.match(said)
    asked = (match["angle"] or match["boxed"]) if match else None
    if match is None or (asked and leading_severity(asked) is not None):
        return False
    return asked is None or labelled or " " in asked.strip()
