"""What people write as a list without the marks of one, and what belongs to the item before it.

Pure rearrangement of the blocks at the top of a document: whether an item is a finding is asked elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reviews.importing.blocks import LEAD_LEVEL, Block, Closing, Heading, Piece
from reviews.importing.records import opens_note, opens_record
from reviews.importing.spacing import BOLD_ALONE, MAX_PSEUDO_HEADING
from reviews.importing.threads import threads
from reviews.importing.vocabulary import label_meaning

MAX_LEAD = 60
MAX_LEAD_WORDS = 5
MAX_CAPITALS = 70
MAX_TERM = 110
MIN_LIKE = 2
MIN_TERMS = 3
MIN_NOTES = 3
MAX_MARGIN = 4
MAX_FORM = 30
GOES_ON = "goes on"

_FOLD = re.compile(r"<summary[^>]*>(?P<title>.*?)</summary>|(?P<close></details\s*>)", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"</?code>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_INDENTED = re.compile(r"^(?:[ ]{2,}|\t)\S")
_ENTRY = re.compile(r"^\s{0,3}(?:\d{1,3}(?:\.\d{1,3}){1,3}|[A-Z]{1,4}-?\d{1,3})[.):]?\s+\S")
_LABEL = re.compile(r"^((?:\*\*|__)?[^\W\d_][^:：\n`]{1,40}?)\s?[:：](?:\*\*|__)?(?:\s|$)")
_ASIDE = re.compile(r"^:\s+\S")
_SENTENCE_END = re.compile(r"[.!?,;。！？]\W*$")
_ASIDES = re.compile(r"^:\s+", re.MULTILINE)
_LEAD = re.compile(r"^[^\n:：]{2,60}[:：]\s*[*_]{0,2}$")
_SMALL = re.compile(r"[a-zа-яёіїєà-öø-ÿ]")
_LETTERS = re.compile(r"[^\W\d_]")

Lines = Sequence[str]


def shaped(pieces: Sequence[Piece], lines: Lines) -> list[Piece]:
    """The pieces with folds as headings, records and terms as items, and each item with what belongs to it."""
    found = list(_folds(pieces))
    found = _forms(threads(found))
    found = list(_records(list(_logs(found))))
    found = _terms(found, lines)
    found = _counted(found)
    if not any(isinstance(piece, Heading) for piece in found):
        found = [_capitals(piece) for piece in found]
    return _leads(found)


def _folds(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """`<details><summary>Title</summary>` is a heading over what can be folded away."""
    for piece in pieces:
        if not isinstance(piece, Block) or piece.kind != "html" or not _FOLD.search(piece.text):
            yield piece
            continue
        last = 0
        for match in _FOLD.finditer(piece.text):
            yield from _between(piece, last, match.start())
            last = match.end()
            line = piece.start + piece.text.count("\n", 0, match.start())
            if match["close"]:
                yield Closing(line)
                continue
            title = " ".join(_TAG.sub("", _CODE.sub("`", match["title"])).split())
            yield Heading(title or "…", 0, line, piece.start + piece.text.count("\n", 0, match.end()))
        yield from _between(piece, last, len(piece.text))


def _between(piece: Block, start: int, end: int) -> Iterator[Block]:
    raw = piece.text[start:end]
    if not _TAG.sub("", raw).strip():
        return
    first = piece.start + piece.text.count("\n", 0, start + len(raw) - len(raw.lstrip()))
    text = _TAG.sub("", raw).strip()
    yield Block("paragraph", first, min(first + text.count("\n"), piece.end), text)


def _logs(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """A fence whose lines are the notes of a review, each with its commit, its place or its kind."""
    for piece in pieces:
        if not isinstance(piece, Block) or piece.kind != "fence":
            yield piece
            continue
        body = piece.text.rstrip("\n").split("\n")
        noted = sum(1 for line in body if opens_note(line))
        if noted < MIN_NOTES or noted * 4 < len(body) * 3:
            yield piece
            continue
        first = piece.end - len(body) if piece.end - piece.start > len(body) else piece.start
        for number, line in enumerate(body, first):
            if line.strip():
                yield Block("item", number, number, line.strip(), record=True, logged=True)


def _records(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Lines and paragraphs that each begin with a place, a tag in brackets, a mark or a comment's label."""
    kinds = _kinds(pieces)
    alone = Counter(kinds)
    open_item: Block | None = None
    for piece, kind in zip(pieces, kinds, strict=True):
        split = list(_split(piece)) if kind not in (None, GOES_ON) and isinstance(piece, Block) else []
        if kind is None or not (len(split) >= MIN_LIKE or alone[kind] >= MIN_LIKE) or kind == GOES_ON:
            if open_item is not None and isinstance(piece, Block) and (piece.kind == "fence" or kind == GOES_ON):
                open_item = replace(open_item, end=piece.end, children=(*open_item.children, piece))
                continue
            if open_item is not None:
                yield open_item
            open_item = None
            yield piece
            continue
        if open_item is not None:
            yield open_item
        yield from split[:-1]
        open_item = split[-1]
    if open_item is not None:
        yield open_item


def _kinds(pieces: Sequence[Piece]) -> list[str | None]:
    kinds = [_record(piece) for piece in pieces]
    comments = kinds.count("comment") >= MIN_LIKE
    labels = kinds.count("label")
    form = not comments and labels >= MIN_TERMS and labels > sum(isinstance(piece, Heading) for piece in pieces)
    kinds = [("comment" if comments or form else None) if kind == "label" else kind for kind in kinds]
    if form:
        # `Issue: ...` again and again without headings: each reaches to the next.
        for at in range(1, len(kinds)):
            piece = pieces[at]
            if (
                kinds[at] != "comment"
                and kinds[at - 1] in ("comment", GOES_ON)
                and isinstance(piece, Block)
                and not _heads(piece)
            ):
                kinds[at] = GOES_ON
    return kinds


def _record(piece: Piece) -> str | None:
    if not isinstance(piece, Block) or piece.kind != "paragraph" or _heads(piece):
        return None
    return opens_record(piece.text)


def _is_text(piece: Piece) -> bool:
    return isinstance(piece, Block) and piece.kind == "paragraph"


def _split(piece: Block) -> Iterator[Block]:
    """A paragraph's lines as items: a line that opens no record of the first one's kind goes on with the one before."""
    kind = opens_record(piece.text)
    start, held = piece.start, list[str]()
    for number, line in enumerate(piece.text.split("\n"), piece.start):
        if held and (opens_record(line) == kind or (kind == "mark" and line.startswith("✅"))):
            yield Block("item", start, number - 1, "\n".join(held), record=True)
            start, held = number, []
        held.append(line)
    yield Block("item", start, piece.end, "\n".join(held), record=True)


def _forms(pieces: Sequence[Piece]) -> list[Piece]:
    """Paragraphs of labelled lines that begin with the same label: `File: ...`, `Severity: ...`, `Issue: ...`."""
    labels = [_first_label(piece) for piece in pieces]
    counts = Counter(labels)
    # Under a heading each, they are the parts of what the headings name.
    headed = Counter(label for at, label in enumerate(labels) if at and isinstance(pieces[at - 1], Heading))
    result = list(pieces)
    for at, piece in enumerate(pieces):
        label = labels[at]
        if isinstance(piece, Block) and label is not None and counts[label] >= max(MIN_LIKE, 2 * headed[label]):
            result[at] = replace(piece, kind="item", record=True)
    return result


def _first_label(piece: Piece) -> str | None:
    """The label of the first line, where most lines have one and one of them rates, places or names a problem."""
    if not isinstance(piece, Block) or piece.kind != "paragraph" or "\n" not in piece.text:
        return None
    lines = piece.text.split("\n")[:MAX_FORM]
    found = [match[1].strip(" *_").lower() for line in lines if (match := _LABEL.match(line))]
    meanings = {label_meaning(label) for label in found}
    if not _LABEL.match(lines[0]) or len(found) < MIN_TERMS or not {"issue", "severity"} <= meanings:
        return None
    return found[0]


def _terms(pieces: Sequence[Piece], lines: Lines) -> list[Piece]:
    """A line at the margin over indented ones, again and again: what is named and what is said of it."""
    at_terms = [_term(piece, lines) for piece in pieces]
    numbered = [term and _ENTRY.match(lines[piece.start - 1]) is not None for piece, term in _starts(pieces, at_terms)]
    if sum(numbered) >= MIN_TERMS:
        at_terms = [term or _entry(piece) for term, piece in zip(numbered, pieces, strict=True)]
    elif sum(at_terms) < MIN_TERMS or sum(at_terms) * 2 < sum(1 for piece in pieces if _is_text(piece)):
        return list(pieces)
    result: list[Piece] = []
    for piece, term in zip(pieces, at_terms, strict=True):
        above = result[-1] if result else None
        if term and isinstance(piece, Block):
            first, _, rest = piece.text.partition("\n")
            said = (Block("paragraph", piece.start + 1, piece.end, _ASIDES.sub("", rest)),) if rest else ()
            result.append(Block("item", piece.start, piece.end, first, children=said, record=True))
        elif isinstance(piece, Block) and piece.kind == "fence" and isinstance(above, Block) and above.kind == "item":
            result[-1] = replace(above, end=piece.end, children=(*above.children, piece))
        else:
            result.append(piece)
    return result


def _entry(piece: Piece) -> bool:
    return (
        isinstance(piece, Block)
        and piece.kind == "paragraph"
        and "\n" not in piece.text
        and bool(_ENTRY.match(piece.text))
    )


def _starts(pieces: Sequence[Piece], terms: Sequence[bool]) -> Iterator[tuple[Block, bool]]:
    for piece, term in zip(pieces, terms, strict=True):
        yield (piece if isinstance(piece, Block) else Block("paragraph", 1, 1)), term


def _term(piece: Piece, lines: Lines) -> bool:
    if not isinstance(piece, Block) or piece.kind != "paragraph" or piece.start == piece.end:
        return False
    said = list(lines[piece.start : piece.end])
    first = lines[piece.start - 1]
    margin = len(first) - len(first.lstrip(" "))
    if len(first) > MAX_TERM or margin >= MAX_MARGIN:
        return False
    said = [line[margin:] for line in said]
    return all(_INDENTED.match(line) or _ASIDE.match(line) for line in said)


def _counted(pieces: Sequence[Piece]) -> list[Piece]:
    """Paragraphs between a numbered item and the next number belong to the item."""
    result: list[Piece] = []
    at = 0
    usual: list[int] = []
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        result.append(piece)
        if not isinstance(piece, Block) or piece.kind != "item":
            usual = usual if isinstance(piece, Block) else []
            continue
        run = _following(pieces, at)
        after = pieces[at + run] if at + run < len(pieces) else None
        if piece.number is None:
            # A quotation right under a bullet answers it.
            run = 1 if run and _answers(pieces[at], piece) else 0
        elif not (isinstance(after, Block) and after.kind == "item" and after.number == piece.number + 1):
            run = min(run, *usual) if len(usual) >= MIN_LIKE else 0
        else:
            usual.append(run)
        if run:
            own = [block for block in pieces[at : at + run] if isinstance(block, Block)]
            result[-1] = replace(piece, end=own[-1].end, children=(*piece.children, *own))
            at += run
    return result


def _following(pieces: Sequence[Piece], at: int) -> int:
    """How many blocks follow that are neither item nor heading."""
    run = 0
    while at + run < len(pieces):
        piece = pieces[at + run]
        if not isinstance(piece, Block) or piece.kind == "item" or _heads(piece):
            break
        run += 1
    return run


def _heads(piece: Block) -> bool:
    bold = piece.kind == "paragraph" and "\n" not in piece.text and bool(BOLD_ALONE.match(piece.text))
    return bold and label_meaning(piece.text) is None


def _answers(piece: Piece, item: Block) -> bool:
    return isinstance(piece, Block) and piece.quoted and piece.start == item.end + 1


def _capitals(piece: Piece) -> Piece:
    """A line of its own in capitals is a title where the document has no others."""
    if not isinstance(piece, Block) or piece.kind != "paragraph" or "\n" in piece.text:
        return piece
    text = piece.text.strip()
    if (
        len(text) > MAX_CAPITALS
        or _SMALL.search(text)
        or len(_LETTERS.findall(text)) < 4
        or text.endswith((".", ",", ";"))
    ):
        return piece
    if text.upper() != text or text.lower() == text:
        return piece
    return Heading(text.rstrip(":"), 2, piece.start, piece.end)


def _leads(pieces: Sequence[Piece]) -> list[Piece]:
    """A short line that ends in a colon right before a list is the heading of that list alone."""
    result: list[Piece] = []
    for at, piece in enumerate(pieces):
        following = pieces[at + 1] if at + 1 < len(pieces) else None
        leads = isinstance(following, Block) and following.kind == "item" and _is_text(piece)
        if not leads or not isinstance(piece, Block) or not isinstance(following, Block):
            result.append(piece)
        elif _leading(piece, following, at == 0) or _over_parts(piece, pieces[at + 1 : at + 1 + MIN_TERMS]):
            result.append(Heading(piece.text, LEAD_LEVEL, piece.start, piece.end))
        else:
            result.append(piece)
    return result


def _over_parts(piece: Block, following: Sequence[Piece]) -> bool:
    """A line over a list of labelled parts - `Files: ...`, `Fix: ...` - is the title of what they are parts of."""
    if "\n" in piece.text or len(piece.text) > MAX_PSEUDO_HEADING or BOLD_ALONE.match(piece.text):
        return False
    labels = [_LABEL.match(item.text) for item in following if isinstance(item, Block) and item.kind == "item"]
    named = {label_meaning(match[1]) for match in labels if match is not None} - {None}
    return len(named) >= MIN_LIKE and label_meaning(piece.text) is None


def _leading(piece: Block, following: Block, opens: bool) -> bool:
    text = piece.text
    if "\n" in text or len(text) > MAX_LEAD or len(text.split()) > MAX_LEAD_WORDS:
        return False
    if len(text) <= MAX_PSEUDO_HEADING and bool(BOLD_ALONE.match(text)):
        return False
    # Right on top of the list it needs no colon, unless it is the document's own title.
    return bool(_LEAD.match(text)) or (
        not opens and following.start == piece.end + 1 and not _SENTENCE_END.search(text)
    )
