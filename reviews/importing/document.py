"""One model of a document: sections, and in them paragraphs, list items, tables and fences, with source lines.

Only markdown-it's block rules run. Inline text is kept as written, so nothing is lost and a line of ten thousand
brackets costs nothing. All line numbers are 1-based and inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from reviews.importing.blocks import (
    LEAD_LEVEL,
    PSEUDO_HEADING_LEVEL,
    Block,
    BlockKind,
    Closing,
    Heading,
    Piece,
    Row,
    Section,
)
from reviews.importing.frontmatter import FrontMatter, read_front_matter
from reviews.importing.levels import counted_lines, levelled
from reviews.importing.model import BadInput
from reviews.importing.plain_text import as_markdown
from reviews.importing.shapes import shaped
from reviews.importing.spacing import BOLD_ALONE, MAX_PSEUDO_HEADING, spaced_out, tame

__all__ = ["PSEUDO_HEADING_LEVEL", "Block", "BlockKind", "Document", "Row", "Section", "read_document"]

MAX_NESTING = 24
MAX_PARTS = 12_000

_MARKERS = frozenset("#-*+|>")
_COUNTED = frozenset({"heading_open", "list_item_open", "tr_open"})

_TASK = re.compile(r"^\[([ xX~\-])\]\s+")
_CELL_SPLIT = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    lines: tuple[str, ...]
    front: FrontMatter
    root: Section

    def sections(self) -> Iterator[Section]:
        yield from self.root.walk()

    def excerpt(self, start: int, end: int) -> str:
        return "\n".join(self.lines[start - 1 : end])


def read_document(text: str) -> Document:
    lines = tuple(text.split("\n"))
    front = read_front_matter(lines)
    bounded = as_markdown([tame(line) if number > front.end else "" for number, line in enumerate(lines, 1)])
    marked = sum(1 for line in bounded if line.lstrip()[:1] in _MARKERS)
    # Refused before the block rules run, for they are what costs; lines in fences count here, hence the room.
    if marked > 2 * MAX_PARTS:
        raise BadInput("too_many_parts", f"The document has {marked} marked lines; the limit is {2 * MAX_PARTS}.")
    spaced, origin = spaced_out(bounded)
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = parser.parse("\n".join(spaced))
    parts = sum(1 for token in tokens if token.type in _COUNTED)
    if parts > MAX_PARTS:
        raise BadInput(
            "too_many_parts",
            f"The document has {parts} headings, list items and table rows; the limit is {MAX_PARTS}.",
        )
    blocks = _Reader(tokens, bounded, origin).read()
    pieces = levelled(counted_lines(shaped(blocks, lines)))
    listed = sum(
        1 for piece in pieces if isinstance(piece, Heading) or (isinstance(piece, Block) and piece.kind == "item")
    )
    # Lines without the marks of a list may be items, too.
    if listed > MAX_PARTS:
        raise BadInput(
            "too_many_parts", f"The document has {listed} headings and list items; the limit is {MAX_PARTS}."
        )
    return Document(text, lines, front, _sections(pieces, len(lines)))


class _Reader:
    """Turns markdown-it's flat tokens into blocks and headings."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str], origin: Sequence[int]) -> None:
        self._tokens = tokens
        self._lines = lines
        self._origin = origin
        self._at = 0

    def read(self) -> list[Block | Heading]:
        return self._until(None)

    def _until(self, closing: str | None) -> list[Block | Heading]:
        found: list[Block | Heading] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == closing:
                break
            found.extend(self._one(token))
        return found

    def _one(self, token: Token) -> list[Block | Heading]:
        start, end = self._span(token)
        kind = token.type
        if kind == "heading_open":
            return [self._heading(token, start, end)]
        if kind == "paragraph_open":
            text = self._tokens[self._at].content
            self._at += 2
            return [Block("paragraph", start, end, text)]
        if kind in ("fence", "code_block"):
            return [Block("fence", start, end, token.content)]
        if kind == "html_block":
            return [Block("html", start, end, token.content)]
        if kind == "table_open":
            return self._table(start)
        if kind in ("bullet_list_open", "ordered_list_open"):
            return self._list(kind.replace("_open", "_close"))
        if kind == "blockquote_open":
            inside = self._until("blockquote_close")
            return [replace(_as_block(piece), quoted=True) for piece in inside]
        return []

    def _span(self, token: Token) -> tuple[int, int]:
        if token.map is None:
            return 1, 1
        first, last = token.map[0], max(token.map[1] - 1, token.map[0])
        return self._origin[first], self._origin[min(last, len(self._origin) - 1)]

    def _heading(self, token: Token, start: int, end: int) -> Block | Heading:
        text = self._tokens[self._at].content
        self._at += 2
        underlined = token.markup == "-" and self._lines[end - 1].strip() == "---"
        # Three dashes under a paragraph are meant as a rule far more often than as a heading's underline.
        if underlined and ("\n" in text or len(text) > 80 or text.startswith(("**", "_", "*", "`"))):
            return Block("paragraph", start, end - 1, text)
        return Heading(text.replace("\n", " "), int(token.tag[1]), start, end)

    def _list(self, closing: str) -> list[Block | Heading]:
        items: list[Block | Heading] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == closing:
                break
            if token.type == "list_item_open":
                start, end = self._span(token)
                items.append(self._item(token, start, end))
        return items

    def _item(self, token: Token, start: int, end: int) -> Block:
        inside = [_as_block(piece) for piece in self._until("list_item_close")]
        text, children = "", inside
        if inside and inside[0].kind == "paragraph":
            text, children = inside[0].text, inside[1:]
        task = _TASK.match(text)
        checked = None if task is None else task[1] in "xX"
        text = text[task.end() :] if task else text
        number = int(token.info) if token.info.isdigit() else None
        while end > start and not self._lines[end - 1].strip():
            end -= 1
        return Block("item", start, end, text, number, checked, tuple(children))

    def _table(self, start: int) -> list[Block | Heading]:
        header: tuple[str, ...] = ()
        rows: list[Row] = []
        stray: list[Block | Heading] = []
        cells: list[str] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == "table_close":
                break
            if token.type == "inline":
                cells.append(token.content)
            elif token.type == "tr_open":
                line, cells = self._span(token)[0], []
            elif token.type == "tr_close" and not header:
                header = tuple(cells)
            elif token.type == "tr_close":
                source = self._lines[line - 1]
                # A line without a bar continues a table by the letter of the rules, but never in anyone's mind.
                if stray or not _CELL_SPLIT.search(source):
                    stray.append(Block("paragraph", line, line, source.strip()))
                else:
                    rows.append(Row(tuple(cells), line))
        end = rows[-1].line if rows else start + 1
        return [Block("table", start, end, header=header, rows=tuple(rows)), *stray]


def _as_block(piece: Block | Heading) -> Block:
    if isinstance(piece, Block):
        return piece
    return Block("paragraph", piece.start, piece.end, piece.title)


def _sections(pieces: Sequence[Piece], last_line: int) -> Section:
    root = Section("", 0, 1, last_line, 0, 0)
    stack = [root]
    folds: list[Section] = []
    count = 0

    def close(until: Section | None, level: int, line: int) -> None:
        while stack[-1].level >= level or (until is not None and until in stack):
            stack.pop().end = line

    for piece in pieces:
        if isinstance(piece, Closing):
            if folds:
                fold = folds.pop()
                close(fold if fold in stack else None, LEAD_LEVEL + 1, piece.line)
            continue
        heading = piece if isinstance(piece, Heading) else _pseudo_heading(piece)
        if heading is None:
            assert isinstance(piece, Block)
            if stack[-1].level == LEAD_LEVEL and piece.kind != "item":
                stack.pop().end = piece.start - 1
            stack[-1].blocks.append(piece)
            continue
        level = _level(heading, stack, folds)
        close(None, level, heading.start - 1)
        count += 1
        section = Section(heading.title, level, heading.start, last_line, count, heading.end, stack[-1])
        stack[-1].children.append(section)
        stack.append(section)
        if heading.level == 0:
            folds.append(section)
    return root


def _level(heading: Heading, stack: Sequence[Section], folds: Sequence[Section]) -> int:
    """A fold stands under the heading above it; headings in a fold stand under the fold."""
    if heading.level == 0:
        above = [section.level for section in stack if section.level < PSEUDO_HEADING_LEVEL]
        return min(above[-1] + 1, PSEUDO_HEADING_LEVEL - 1)
    inside = folds[-1].level + 1 if folds and folds[-1] in stack else 0
    return heading.level if heading.level >= PSEUDO_HEADING_LEVEL else max(heading.level, inside)


def _pseudo_heading(piece: Block) -> Heading | None:
    if piece.kind != "paragraph" or "\n" in piece.text:
        return None
    if len(piece.text) > MAX_PSEUDO_HEADING or not BOLD_ALONE.match(piece.text):
        return None
    return Heading(piece.text, PSEUDO_HEADING_LEVEL, piece.start, piece.end)
