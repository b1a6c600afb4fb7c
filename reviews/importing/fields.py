"""The labelled parts of one finding: `**Impact:** ...`, `- Fix: ...`, `#### Problem`, or a two-column table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reviews.importing.decoys import part_heading
from reviews.importing.document import PSEUDO_HEADING_LEVEL, Block, Section
from reviews.importing.titles import plain
from reviews.importing.vocabulary import label_meaning

MAX_FIELD_LINE = 3_000
MAX_FIELDS = 80
# One labelled part may be chance; two make an item a thing of its own.
MIN_PARTS = 2

_BOLD_LABEL = re.compile(
    r"(?:^|(?<=[|·•;])\s*|\s{2,}|(?<=\s))(?:\*\*|__)([^*\n]{1,70}?)(?::(?:\*\*|__)|(?:\*\*|__)\s*:)\s*"
)
_ITALIC_LABEL = re.compile(r"^(?:\*|_)([^*_\n]{1,40}?)(?::(?:\*|_)|(?:\*|_)\s*:)\s*")
_PLAIN_LABEL = re.compile(r"^([^\W\d_][\w '’/()\-]{1,40}?)\s*[:：]\s*(?=\S|$)")
_HEADING_FIELD = re.compile(r"^([^:：]{2,40})[:：]\s*(\S.*)$")
# `Issue: the cache is never emptied` may be a title; a heading that starts with one of these never is.
_IN_HEADINGS = frozenset({"severity", "priority", "status", "effort"})


@dataclass(frozen=True, slots=True)
class Field:
    """`meaning` is the known part that the label names; None for a label that is only this author's."""

    label: str
    meaning: str | None
    value: str
    line: int


def fields_of(section: Section) -> tuple[Field, ...]:
    """Every field under a heading, in order, with those under sub-headings that name a part of a finding."""
    found: list[Field] = []
    for part in _parts(section):
        if part is not section:
            meaning = label_meaning(plain(part.title))
            if meaning is not None:
                value = "\n".join(_text_of(part.blocks))
                found.append(Field(plain(part.title).strip(" :"), meaning, value, part.line))
            else:
                found.extend(replace(field, line=part.line) for field in said_in_heading(part.title))
        # A record is a finding of its own, not a part of what the heading names.
        found.extend(fields_in(block for block in part.blocks if not (block.record or has_parts(block))))
        if len(found) > MAX_FIELDS:
            break
    return tuple(found[:MAX_FIELDS])


def has_parts(block: Block) -> bool:
    """A list item that is no labelled part itself and has such parts under it: `1. Weak secret`, `- File: ...`."""
    if block.kind != "item" or next(_labelled(replace(block, children=())), None) is not None:
        return False
    return len(meanings(fields_in(child for child in block.children if child.kind == "item"))) >= MIN_PARTS


def _parts(section: Section) -> Iterator[Section]:
    yield section
    for child in section.children:
        named = label_meaning(plain(child.title)) is not None or part_heading(child.title) or says_field(child.title)
        if named or lead_in(child):
            yield from _parts(child)


def lead_in(section: Section) -> bool:
    """A bold line that ends in a colon leads to what follows; it is no title."""
    return section.level >= PSEUDO_HEADING_LEVEL and section.title.rstrip("*_ ").endswith((":", "："))


def says_field(title: str) -> bool:
    """A sub-heading that is a field in itself, such as `### Severity: low`."""
    return bool(said_in_heading(title))


def said_in_heading(title: str) -> tuple[Field, ...]:
    """The field that a heading such as `## Severity: low` is in itself."""
    match = _HEADING_FIELD.match(plain(title)[:MAX_FIELD_LINE])
    meaning = label_meaning(match[1]) if match else None
    if match is None or meaning not in _IN_HEADINGS:
        return ()
    return (Field(match[1].strip(), meaning, match[2].strip(), 0),)


def fields_in(blocks: Iterable[Block]) -> Iterator[Field]:
    following = list(blocks)
    for at, block in enumerate(following):
        if block.kind == "table":
            yield from _table_fields(block)
        elif block.kind in ("paragraph", "item"):
            named = list(_labelled(block))
            if named and block.kind == "paragraph" and (not named[-1].value or named[-1].value.endswith((":", "："))):
                named[-1] = _with_list(named[-1], following[at + 1 : at + 1 + MAX_FIELDS])
            yield from named
            yield from fields_in(block.children)


def _with_list(field: Field, following: Iterable[Block]) -> Field:
    """A label that leads to a list means the list."""
    items: list[Block] = []
    for block in following:
        if block.kind != "item":
            break
        items.append(block)
    said = "\n".join(item.text for item in items)
    return replace(field, value=f"{field.value}\n{said}".strip()) if said else field


def _labelled(block: Block) -> Iterator[Field]:
    nested = "\n".join(_text_of(block.children))
    lines = block.text.split("\n")
    open_field: Field | None = None
    for offset, line in enumerate(lines):
        starts = list(_labels(line[:MAX_FIELD_LINE]))
        if not starts:
            if open_field is not None:
                open_field = Field(
                    open_field.label,
                    open_field.meaning,
                    f"{open_field.value}\n{line}".strip(),
                    open_field.line,
                )
            continue
        for at, (label, _, end) in enumerate(starts):
            if open_field is not None:
                yield open_field
            until = starts[at + 1][1] if at + 1 < len(starts) else len(line)
            value = line[end:until].strip().strip("|·•;").strip()
            open_field = Field(label, label_meaning(label), value, block.start + offset)
    if open_field is not None:
        value = f"{open_field.value}\n{nested}".strip() if nested else open_field.value
        yield Field(open_field.label, open_field.meaning, value, open_field.line)


def _labels(line: str) -> Iterator[tuple[str, int, int]]:
    """(label, where it starts, where its value starts) for each label on one line."""
    bold = list(_BOLD_LABEL.finditer(line))
    if bold and not line[: bold[0].start()].strip(" \t>-*•✅❌⚠️🔴🟠🟡🟢"):
        for match in bold:
            if match is bold[0] or label_meaning(match[1]) is not None:
                yield plain(match[1]), match.start(), match.end()
        return
    match_plain = _ITALIC_LABEL.match(line) or _PLAIN_LABEL.match(line)
    if match_plain and label_meaning(match_plain[1]) is not None:
        yield match_plain[1], match_plain.start(), match_plain.end()


def _table_fields(table: Block) -> Iterator[Field]:
    """A table of two columns whose first column names parts of a finding."""
    if len(table.header) != 2:
        return
    rows = [row for row in table.rows if len(row.cells) == 2]
    named = [(row, label_meaning(row.cells[0])) for row in rows]
    head = label_meaning(table.header[0])
    if sum(1 for _, meaning in named if meaning) < 2:
        return
    if head is not None and table.header[1].strip():
        yield Field(plain(table.header[0]), head, table.header[1].strip(), table.start)
    for row, meaning in named:
        if meaning is not None:
            yield Field(plain(row.cells[0]), meaning, row.cells[1].strip(), row.line)


def _text_of(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        for inner in block.walk():
            if inner.kind in ("paragraph", "item") and inner.text:
                yield inner.text


def value_of(fields: Iterable[Field], meaning: str) -> Field | None:
    return next((field for field in fields if field.meaning == meaning and field.value), None)


def meanings(fields: Iterable[Field]) -> frozenset[str]:
    return frozenset(field.meaning for field in fields if field.meaning)
