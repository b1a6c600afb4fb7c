"""One model of a document: sections, and in them paragraphs, list items, tables and fences, with source lines.

Only markdown-it's block rules run. Inline text is kept as written, so nothing is lost and a line of ten thousand
brackets costs nothing. All line numbers are 1-based and inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from reviews.importing.frontmatter import FrontMatter, read_front_matter
from reviews.importing.model import BadInput
from reviews.importing.spacing import BOLD_ALONE, MAX_PSEUDO_HEADING, spaced_out, tame

MAX_NESTING = 24
MAX_PARTS = 12_000
PSEUDO_HEADING_LEVEL = 7

_MARKERS = frozenset("#-*+|>")
_COUNTED = frozenset({"heading_open", "list_item_open", "tr_open"})

BlockKind = Literal["paragraph", "item", "table", "fence", "html"]

_TASK = re.compile(r"^\[([ xX~\-])\]\s+")
_CELL_SPLIT = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, table, fence or HTML block; `text` is as written, without the list marker."""

    kind: BlockKind
    start: int
    end: int
    text: str = ""
    number: int | None = None
    checked: bool | None = None
    children: tuple[Block, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    def walk(self) -> Iterator[Block]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(slots=True, eq=False)
class Section:
    """A heading and what stands under it; a paragraph that is nothing but bold text counts as a low heading."""

    title: str
    level: int
    line: int
    end: int
    index: int
    heading_end: int
    parent: Section | None = None
    blocks: list[Block] = field(default_factory=list)
    children: list[Section] = field(default_factory=list)

    def walk(self) -> Iterator[Section]:
        yield self
        for child in self.children:
            yield from child.walk()

    def children_are_headings(self) -> bool:
        """True when real headings, not bold paragraphs alone, stand under this one."""
        return any(child.level < PSEUDO_HEADING_LEVEL for child in self.children)

    def ancestors(self) -> Iterator[Section]:
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    def all_blocks(self) -> Iterator[Block]:
        for section in self.walk():
            for block in section.blocks:
                yield from block.walk()


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
    bounded = [tame(line) if number > front.end else "" for number, line in enumerate(lines, 1)]
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
    return Document(text, lines, front, _sections(blocks, len(lines)))


@dataclass(frozen=True, slots=True)
class _Heading:
    title: str
    level: int
    start: int
    end: int


class _Reader:
    """Turns markdown-it's flat tokens into blocks and headings."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str], origin: Sequence[int]) -> None:
        self._tokens = tokens
        self._lines = lines
        self._origin = origin
        self._at = 0

    def read(self) -> list[Block | _Heading]:
        return self._until(None)

    def _until(self, closing: str | None) -> list[Block | _Heading]:
        found: list[Block | _Heading] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == closing:
                break
            found.extend(self._one(token))
        return found

    def _one(self, token: Token) -> list[Block | _Heading]:
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
            return [_as_block(piece) for piece in inside]
        return []

    def _span(self, token: Token) -> tuple[int, int]:
        if token.map is None:
            return 1, 1
        first, last = token.map[0], max(token.map[1] - 1, token.map[0])
        return self._origin[first], self._origin[min(last, len(self._origin) - 1)]

    def _heading(self, token: Token, start: int, end: int) -> Block | _Heading:
        text = self._tokens[self._at].content
        self._at += 2
        underlined = token.markup == "-" and self._lines[end - 1].strip() == "---"
        # Three dashes under a paragraph are meant as a rule far more often than as a heading's underline.
        if underlined and ("\n" in text or len(text) > 80 or text.startswith(("**", "_", "*", "`"))):
            return Block("paragraph", start, end - 1, text)
        return _Heading(text.replace("\n", " "), int(token.tag[1]), start, end)

    def _list(self, closing: str) -> list[Block | _Heading]:
        items: list[Block | _Heading] = []
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

    def _table(self, start: int) -> list[Block | _Heading]:
        header: tuple[str, ...] = ()
        rows: list[Row] = []
        stray: list[Block | _Heading] = []
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


def _as_block(piece: Block | _Heading) -> Block:
    if isinstance(piece, Block):
        return piece
    return Block("paragraph", piece.start, piece.end, piece.title)


def _sections(pieces: Sequence[Block | _Heading], last_line: int) -> Section:
    root = Section("", 0, 1, last_line, 0, 0)
    stack = [root]
    count = 0
    for piece in pieces:
        heading = piece if isinstance(piece, _Heading) else _pseudo_heading(piece)
        if heading is None:
            assert isinstance(piece, Block)
            stack[-1].blocks.append(piece)
            continue
        while stack[-1].level >= heading.level:
            stack.pop().end = heading.start - 1
        count += 1
        section = Section(heading.title, heading.level, heading.start, last_line, count, heading.end, stack[-1])
        stack[-1].children.append(section)
        stack.append(section)
    return root


def _pseudo_heading(piece: Block | _Heading) -> _Heading | None:
    if not isinstance(piece, Block) or piece.kind != "paragraph" or "\n" in piece.text:
        return None
    if len(piece.text) > MAX_PSEUDO_HEADING or not BOLD_ALONE.match(piece.text):
        return None
    return _Heading(piece.text, PSEUDO_HEADING_LEVEL, piece.start, piece.end)
