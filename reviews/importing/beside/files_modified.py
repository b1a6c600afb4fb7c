"""The files that the author says were changed: tables, lists, diffstats and labelled lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reviews.importing.beside.parts import Page, Part, fence_lines, text_lines
from reviews.importing.document import Block, Row
from reviews.importing.model import FileModified
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.columns import header_names, meanings_of
from reviews.importing.titles import plain
from reviews.importing.vocabulary import word_set

MAX_NOTE = 600
MAX_LINE = 2_000

_FILE_HEADERS = word_set("file files path paths filename module fil filer datei dateien файл arquivo archivo fichier")
_DIFF = re.compile(r"^\s*(?:(?:modified|new file|deleted|renamed|created|added|changed):|[MADRCU?]{1,2}|[├└│─\s]+)\s+")
_NOTE_LEAD = re.compile(r"^[\s:|,;–—\-→>]+")
_ALONE = re.compile(r"^`?(?P<path>[\w.@+~:/\\\-\[\]{}*]{2,200})`?$")
_FIRST_CODE = re.compile(r"^[\s*_✅☑✔✓]*`(?P<path>[^`\n]{2,200})`")


def files_modified(page: Page) -> Iterator[FileModified]:
    for part in page.of("files"):
        owner = page.finding_at(part.line)
        own = (owner.ref,) if owner is not None and owner.ref else ()
        for found in _of_part(part, page):
            yield FileModified(found.path, found.note, found.line, found.refs or own)


def _of_part(part: Part, page: Page) -> Iterator[FileModified]:
    for block in part.blocks:
        if block.kind == "table":
            yield from _table(block, page)
        elif block.kind == "fence":
            for line, text in fence_lines(block, page.document):
                yield from _line(_DIFF.sub("", text[:MAX_LINE]), line, page)
        elif block.kind == "item":
            for inner in block.walk():
                if inner.kind == "item":
                    yield from _line(" ".join(inner.text[:MAX_LINE].split()), inner.start, page)
        elif block.kind == "paragraph":
            yield from _listed(block, part, page)


def _table(table: Block, page: Page) -> Iterator[FileModified]:
    names = header_names(table)
    at = next((at for at, name in enumerate(names) if name in _FILE_HEADERS), meanings_of(table).get("file", 0))
    for row in table.rows:
        if at < len(row.cells):
            yield from _row(row, at, page)


def _row(row: Row, at: int, page: Page) -> Iterator[FileModified]:
    note = " — ".join(plain(cell) for number, cell in enumerate(row.cells) if number != at and cell.strip())
    for path in _paths(row.cells[at]):
        yield FileModified(path, note[:MAX_NOTE], row.line, page.named_refs(note))


def _line(text: str, line: int, page: Page) -> Iterator[FileModified]:
    """The line's first path is the file; what follows it is the note."""
    code = _FIRST_CODE.match(text)
    head = code["path"] if code else (text.split() or [""])[0]
    found = _paths(f"`{head.strip('*_`,;:')}`")
    if not found:
        # `Updated a.py and b.py`: files named in words.
        for path in paths_in(text, labelled=False):
            yield FileModified(path, plain(text)[:MAX_NOTE], line, page.named_refs(text))
        return
    rest = text[code.end() :] if code else text[len(head) :]
    note = plain(_NOTE_LEAD.sub("", rest))
    others = () if note and not _only_paths(rest) else paths_in(rest, labelled=True)
    note = "" if others else note
    yield FileModified(found[0], note[:MAX_NOTE], line, page.named_refs(note))
    for path in others:
        yield FileModified(path, "", line)


def _only_paths(rest: str) -> bool:
    """`, `b.py`, `c.py``: nothing but more files."""
    return bool(re.fullmatch(r"(?:[\s,;&+]|and\b|`[^`\n]*`)*", rest[:MAX_LINE])) and "`" in rest


def _listed(block: Block, part: Part, page: Page) -> Iterator[FileModified]:
    """After a label, paths anywhere; under a heading, lines that begin with one, for the rest is prose."""
    for number, line in text_lines(block):
        if part.label or _FIRST_CODE.match(line):
            for path in _paths(line[:MAX_LINE]):
                yield FileModified(path, "", number, page.named_refs(line))


def _paths(cell: str) -> tuple[str, ...]:
    found = paths_in(cell, labelled=True)
    if found:
        return found
    alone = _ALONE.match(plain(cell).strip())
    named = alone is not None and re.search(r"[./\\]|^[A-Z][a-z]+file$", alone["path"]) is not None
    return (alone["path"],) if alone is not None and named and re.search(r"[A-Za-z]", alone["path"]) else ()
