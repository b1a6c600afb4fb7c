"""The parts of a document: sections, and in them paragraphs, list items, tables and fences, with source lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

PSEUDO_HEADING_LEVEL = 7
# A line that ends in a colon heads the list behind it, and nothing that follows the list.
LEAD_LEVEL = 8

BlockKind = Literal["paragraph", "item", "table", "fence", "html"]


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
    quoted: bool = False
    record: bool = False
    logged: bool = False

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
    # Whether it is an area that was looked at: asked by every heading beside it, found out once.
    area: bool | None = None

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
class Heading:
    """A heading on its way into a section; `level` 0 is one more than that of the heading above it."""

    title: str
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of what can be folded away: what follows stands where the fold stood."""

    line: int


Piece = Block | Heading | Closing
