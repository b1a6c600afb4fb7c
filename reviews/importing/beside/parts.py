"""Where the parts beside the findings stand: under headings that announce them, and after labels."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from reviews.importing.beside.names import PartKind, kind_of, label_of
from reviews.importing.document import Block, Document, Section
from reviews.importing.model import ParsedFinding
from reviews.importing.refs import refs_in
from reviews.importing.regions import Outline
from reviews.importing.titles import plain

MAX_ROWS = 5_000
MAX_TEXT = 4_000

_FENCE_MARK = re.compile(r"^\s*(?:>\s*)*(?:```|~~~)")
_GUIDANCE = ("a template or guidance", "the document is guidance, not a review")


@dataclass(frozen=True, slots=True)
class Part:
    """One announced part: `announced` is the title that says so, its own when `named`, else that of a heading above."""

    kind: PartKind
    title: str
    line: int
    end: int
    blocks: tuple[Block, ...]
    section: Section
    announced: str
    named: bool
    label: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A document with its findings and announced parts; `taken` are the lines on which findings begin."""

    outline: Outline
    findings: tuple[ParsedFinding, ...]
    starts: tuple[int, ...]
    taken: frozenset[int]
    refs: frozenset[str]
    parts: tuple[Part, ...] = field(default=())

    @property
    def document(self) -> Document:
        return self.outline.document

    def of(self, *kinds: PartKind) -> Iterator[Part]:
        return (part for part in self.parts if part.kind in kinds)

    def finding_at(self, line: int) -> ParsedFinding | None:
        """The finding in whose lines a line stands."""
        at = bisect_right(self.starts, line) - 1
        return self.findings[at] if at >= 0 and self.findings[at].line_end >= line else None

    def holds_findings(self, section: Section) -> bool:
        """Findings begin under the heading."""
        return bisect_right(self.starts, section.end) > bisect_right(self.starts, section.line)

    def named_refs(self, text: str) -> tuple[str, ...]:
        """The document's own refs that a text names; `#3` names finding 3."""
        found: dict[str, None] = {}
        for ref in refs_in(text):
            known = next((name for name in (ref, ref.lstrip("#")) if name in self.refs), None)
            if known is not None:
                found.setdefault(known)
        return tuple(found)


def page_of(outline: Outline, findings: Sequence[ParsedFinding]) -> Page:
    ordered = tuple(sorted(findings, key=lambda finding: finding.line_start))
    refs = frozenset(finding.ref for finding in ordered if finding.ref)
    starts = tuple(finding.line_start for finding in ordered)
    page = Page(outline, ordered, starts, frozenset(starts), refs)
    return replace(page, parts=tuple(_parts(page)))


def _parts(page: Page) -> Iterator[Part]:
    above: dict[int, tuple[PartKind, Section] | None] = {}
    for section in page.document.sections():
        announced = _announced(section, page, above)
        above[section.index] = announced
        region = page.outline.region(section)
        # `How to verify` is guidance by its own words; what stands inside a guide is no part of a review.
        if region.decoy in _GUIDANCE and not (region.own and announced is not None and announced[1] is section):
            continue
        if announced is not None:
            yield _under(section, *announced)
        else:
            yield from _labelled(section)


def _announced(
    section: Section, page: Page, above: dict[int, tuple[PartKind, Section] | None]
) -> tuple[PartKind, Section] | None:
    """What stands under a heading, and which heading says so: this one or one above, but none across a finding."""
    if section.parent is None or (section.level == 1 and section.children) or section.line in page.taken:
        return None
    own = kind_of(section.title)
    # `Must fix before merge` over findings is their severity, not a list of things to do.
    if own == "actions" and page.outline.region(section).kind == "findings":
        own = None
    return (own, section) if own is not None else above[section.parent.index]


def _under(section: Section, kind: PartKind, announcing: Section) -> Part:
    last = section.children[0].line - 1 if section.children else section.end
    title, announced = _title(section.title), _title(announcing.title)
    return Part(kind, title, section.line, last, tuple(section.blocks), section, announced, announcing is section)


def _title(title: str) -> str:
    return plain(title).strip(" :*")


def _labelled(section: Section) -> Iterator[Part]:
    """`**Evidence:** ...`, or `Test plan:` over a list; a label inside an item reaches to the item's end."""
    for at, block in enumerate(section.blocks):
        after = _following(section.blocks, at) if block.kind == "paragraph" else ()
        yield from _labels(block, section, after)
        for child in block.children:
            for inner in child.walk():
                yield from _labels(inner, section, inner.children)


def _following(blocks: Sequence[Block], at: int) -> tuple[Block, ...]:
    found = []
    for block in blocks[at + 1 : at + 1 + MAX_ROWS]:
        if block.kind not in ("item", "table", "fence"):
            break
        found.append(block)
    return tuple(found)


def _labels(block: Block, section: Section, after: tuple[Block, ...]) -> Iterator[Part]:
    if block.kind not in ("paragraph", "item") or ":" not in block.text:
        return
    lines = block.text.split("\n")
    heads = [(offset, label) for offset, line in enumerate(lines) if (label := label_of(line)) is not None]
    below = after if block.kind == "paragraph" else block.children
    for number, (offset, (name, rest)) in enumerate(heads):
        kind = kind_of(name)
        # An earlier version is spoken of under headings; a label such as `Previous:` is of the document itself.
        if kind is None or kind == "earlier":
            continue
        until = heads[number + 1][0] if number + 1 < len(heads) else len(lines)
        start = block.start + offset
        text = "\n".join([rest, *lines[offset + 1 : until]])
        said = (Block("paragraph", start, block.start + until - 1, text),) if text.strip() else ()
        last = number + 1 == len(heads)
        blocks = (*said, *below) if last and (not said or block.kind == "item") else said
        end = max((piece.end for piece in blocks), default=start)
        yield Part(kind, name, start, end, blocks, section, name, True, True)


def fence_lines(block: Block, document: Document) -> Iterator[tuple[int, str]]:
    """(line number, text) of what stands in a fence, without its marks."""
    fenced = bool(_FENCE_MARK.match(document.lines[block.start - 1]))
    for offset, line in enumerate(block.text.split("\n")):
        if line.strip():
            yield block.start + offset + (1 if fenced else 0), line


def text_lines(block: Block) -> Iterator[tuple[int, str]]:
    for offset, line in enumerate(block.text.split("\n")):
        if line.strip():
            yield block.start + offset, line


def excerpt(part: Part, document: Document) -> tuple[str, int, int]:
    """(text as written, first line, last line) of all that a part holds, without blank lines and rules around it."""
    start = part.line if part.label else part.section.heading_end + 1
    lines, end = document.lines, min(part.end if part.label else part.section.end, len(document.lines))
    while end >= start and lines[end - 1].strip() in ("", "---", "***", "___"):
        end -= 1
    while start < end and not lines[start - 1].strip():
        start += 1
    if end < start:
        return "", start, start
    text = document.excerpt(start, min(end, start + MAX_ROWS))
    if part.label:
        said = label_of(lines[start - 1])
        text = "\n".join([said[1] if said else lines[start - 1], *lines[start:end]]).strip()
    return text[:MAX_TEXT], start, end
