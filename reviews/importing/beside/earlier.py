"""What a document says of an earlier version: which of its findings, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reviews.importing.beside.names import MAX_NAME
from reviews.importing.beside.parts import Page, Part, excerpt
from reviews.importing.document import Block
from reviews.importing.model import Earlier, Status
from reviews.importing.recognisers.columns import meanings_of
from reviews.importing.refs import refs_in
from reviews.importing.titles import plain
from reviews.importing.vocabulary import status_of

MAX_SENTENCE = 600
MAX_REFS = 1_000
MAX_SENTENCES = 20_000

_VERSION = re.compile(r"\b(?:v\.?|version |round |iteration |revision |rev |review )#?(\d+(?:\.\d+)*)\b", re.IGNORECASE)
_OLD = re.compile(r"\b(?:previous|prior|earlier|past|last|preceding|carried|cross)", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=\S)|\n")
_HERE = re.compile(r"^\W{0,3}\s*(?:above|below|here|in this|of this|\(new\)|\(above\)|\(below\))", re.IGNORECASE)
_STATUS_WORDS: tuple[tuple[Status, re.Pattern[str]], ...] = (
    (
        "open",
        re.compile(
            r"\b(?:still (?:open|present|broken|fail\w*|unfixed|there|reproduc\w*)|not (?:yet |fully |correctly )?"
            r"(?:fixed|addressed|resolved|applied|done|verified)|unresolved|unfixed|unaddressed|regress(?:ed|ion)|"
            r"reopened|remains?|outstanding|incomplete|partial(?:ly)?|missing|pending)\b|❌",
            re.IGNORECASE,
        ),
    ),
    (
        "rejected",
        re.compile(r"\b(?:rejected|refuted|retracted|false positive|superseded|won'?t fix|withdrawn)\b", re.I),
    ),
    ("deferred", re.compile(r"\b(?:deferred|postponed|backlog|accepted risk|acknowledged|out of scope)\b", re.I)),
    (
        "fixed",
        re.compile(
            r"\b(?:fixed|resolved|closed|addressed|verified|confirmed|correct(?:ly)?|applied|done|in place|holds|"
            r"mitigated|completed?)\b|[✅☑✔✓]",
            re.IGNORECASE,
        ),
    ),
)
_ALL = re.compile(
    r"\b(?:all|every|each)\b(?: of)?(?: the| its| these| those)?(?: [\w.'’-]+){0,4}? "
    r"(?:were |are |is |was |have been |has been |now |still |re-?)*"
    r"(?:verified|confirmed|fixed|resolved|addressed|closed|correctly|in place|applied|remediated)\b",
    re.IGNORECASE,
)
_BUT = re.compile(
    r"\ball\b[^.;]{0,60}\bbut\b|\b(?:except|excluding|not all|apart from|aside from|unless|with the exception)\b",
    re.IGNORECASE,
)


def earlier(page: Page, own_version: str | None) -> Iterator[Earlier]:
    covered = 0
    sentences = iter(range(MAX_SENTENCES))
    for part in page.of("earlier"):
        if not part.named or part.line <= covered or page.finding_at(part.line) is not None:
            continue
        if _is_this_version(part, page, own_version):
            continue
        covered = part.section.end
        text, _, _ = excerpt(part, page.document)
        refs = tuple(_refs(part, sentences))[:MAX_REFS]
        version = _VERSION.search(part.title[:MAX_NAME]) or _VERSION.search(text[:MAX_SENTENCE])
        yield Earlier(version[1] if version else None, text, part.line, refs, _all_verified(text, refs))


def _is_this_version(part: Part, page: Page, own_version: str | None) -> bool:
    """`Round 2 findings` in a document of several rounds holds findings of its own."""
    if _OLD.search(part.title[:MAX_NAME]):
        return False
    version = _VERSION.search(part.title[:MAX_NAME])
    if version is not None and own_version is not None and version[1] == own_version.lstrip("vV"):
        return True
    return page.holds_findings(part.section)


def _refs(part: Part, sentences: Iterator[int]) -> Iterator[tuple[str, Status | None]]:
    found: dict[str, Status | None] = {}
    for section in part.section.walk():
        for block in section.blocks:
            pairs = _in_table(block, sentences) if block.kind == "table" else _in_text(block, sentences)
            for ref, status in pairs:
                if found.get(ref) is None:
                    found[ref] = status
    yield from found.items()


def _in_table(table: Block, sentences: Iterator[int]) -> Iterator[tuple[str, Status | None]]:
    columns = meanings_of(table)
    for row, _ in zip(table.rows, sentences, strict=False):
        cells = [plain(cell) for cell in row.cells]
        at = columns.get("ref", 0)
        named = refs_in(cells[at]) if at < len(cells) else ()
        ref = named[0] if named else cells[at].strip("*`[]~ ") if "ref" in columns and at < len(cells) else ""
        said = cells[columns["status"]] if columns.get("status", len(cells)) < len(cells) else " ".join(cells[1:])
        if ref and len(ref) <= 40:
            yield ref, _status(said)


def _in_text(block: Block, sentences: Iterator[int]) -> Iterator[tuple[str, Status | None]]:
    for inner in block.walk():
        if inner.kind not in ("item", "paragraph"):
            continue
        boxed: Status | None = None if inner.checked is None else "fixed" if inner.checked else "open"
        for written, _ in zip(_SENTENCE.split(inner.text), sentences, strict=False):
            sentence = plain(written[:MAX_SENTENCE])
            refs = refs_in(sentence)
            # `All but B-3 were fixed` says nothing of B-3 that its words would tell.
            telling = bool(refs) and not _BUT.search(sentence)
            whole = _status(sentence) or boxed if telling else None
            for at, ref in enumerate(refs):
                # Up to the next ref: `H1 fixed, H2 deferred` says something of each.
                start = sentence.find(ref) + len(ref)
                until = sentence.find(refs[at + 1], start) if at + 1 < len(refs) else len(sentence)
                after = sentence[start : max(until, start)]
                if not _HERE.match(after):
                    yield ref, (_status(after) if telling else None) or whole


def _status(said: str) -> Status | None:
    text = said[:MAX_SENTENCE]
    first = status_of(text.lstrip(" :—–-"))
    if first is not None:
        return first
    return next((status for status, pattern in _STATUS_WORDS if pattern.search(text)), None)


def _all_verified(text: str, refs: tuple[tuple[str, Status | None], ...]) -> bool:
    """The author says so of all, without exception, and says nothing else of any one of them."""
    if any(status not in ("fixed", None) for _, status in refs):
        return False
    said = next((sentence for sentence in _SENTENCE.split(text) if _ALL.search(sentence[:MAX_SENTENCE])), None)
    if said is not None:
        return not _BUT.search(said[:MAX_SENTENCE]) and not _STATUS_WORDS[0][1].search(said[:MAX_SENTENCE])
    return bool(refs) and all(status == "fixed" for _, status in refs)
