"""Any list of objects: the names in them say what is what, or a mapping does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from reviews.importing.forms.columns import meanings, plain_name, tells_of_findings
from reviews.importing.forms.gathering import Gathering
from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.rows import Row, add_row
from reviews.importing.forms.said import Said
from reviews.importing.forms.values import line_text
from reviews.importing.mapping import Mapping
from reviews.importing.model import BadInput

FORM: Final = "json"
MAX_NAMES: Final = 400
MAX_FLAT: Final = 3
MAX_SEARCHED: Final = 4
MAX_SHAPES: Final = 5_000
LISTS: Final = (
    "findings", "issues", "vulnerabilities", "results", "problems", "alerts", "violations", "bugs", "defects",
    "items", "data", "entries", "records",
)  # fmt: skip
_STEP: Final = re.compile(r"[^.\[\]]+")
_ABSENT: Final = object()


def read(document: JsonDocument, mapping: Mapping | None, gathering: Gathering) -> Said:
    """Every object of the document's list; BadInput where there is no list, or none of its names is a title."""
    spans = list(_lists(document, mapping))
    shapes: dict[tuple[str, ...], tuple[dict[str, str], tuple[str, ...]]] = {}
    seen: dict[str, None] = {}
    absent = {column for _, column in mapping.fields} if mapping else set()
    titled, count = False, 0
    for span in _entries(document, spans):
        count += 1
        entry, lines = document.load(span), document.lines(span)
        if not isinstance(entry, dict):
            gathering.leave_out(lines, line_text(entry, 80), "an entry that is no object")
            continue
        if mapping is not None:
            parts, others = _mapped(entry, mapping)
            absent -= set(parts.values())
            flat = {column: at(entry, column) for column in parts.values()} | {name: entry.get(name) for name in others}
        else:
            flat = flattened(entry)
            parts, others = _shape(tuple(sorted(flat)), shapes)
        for name in flat if len(seen) < MAX_NAMES else ():
            seen.setdefault(name)
        titled = titled or "title" in parts
        add_row(Row(flat.get, parts, others, lines), "an entry of a list", mapping, gathering)
    if absent and mapping is not None and count:
        missing = [column for _, column in mapping.fields if column in absent]
        raise BadInput("no_column", f"The mapping names {_listed(missing)}, and no entry has that.")
    if count and not titled:
        raise BadInput("no_title", f"No name in the entries is a title; they have {_listed(sorted(seen))}.")
    return Said()


def _entries(document: JsonDocument, spans: list[Span]) -> Iterator[Span]:
    for span in spans:
        if document.is_list(span):
            yield from document.elements(span)
        else:
            yield span


def _lists(document: JsonDocument, mapping: Mapping | None) -> Iterator[Span]:
    """The list of each value of the document; of lines of objects, the objects themselves."""
    for root in document.roots:
        if mapping is not None and mapping.items:
            yield _at(document, root, mapping.items)
        elif document.is_list(root) or len(document.roots) > 1:
            yield root
        else:
            yield _found(document, root)


def _at(document: JsonDocument, root: Span, path: str) -> Span:
    span = root
    for step in _STEP.findall(path):
        inner = document.members(span).get(step)
        if inner is None:
            raise BadInput("no_column", f'The mapping looks for entries under "{path}", where the document has none.')
        span = inner
    return span


def _found(document: JsonDocument, root: Span) -> Span:
    """The list of objects in an object: the one that is called so, else the only one that speaks of findings."""
    lists = list(_lists_in(document, root, 0))
    for name in LISTS:
        for key, span in lists:
            if plain_name(key) == name:
                return span
    telling = [span for _, span in lists if _tells(document, span)]
    if len(telling) == 1:
        return telling[0]
    names = _listed(sorted({key for key, _ in lists} or set(document.members(root))))
    if telling:
        raise BadInput("several_lists", f"The document has several lists that may be its findings: {names}.")
    raise BadInput("no_findings_list", f"The document has no list of findings; it has {names}.")


def _lists_in(document: JsonDocument, span: Span, depth: int) -> Iterator[tuple[str, Span]]:
    inner = []
    for key, value in document.members(span).items():
        if document.is_list(value):
            first = next(document.elements(value), None)
            if first is None or document.is_object(first):
                yield key, value
        elif document.is_object(value) and depth < MAX_SEARCHED:
            inner.append(value)
    for value in inner[:MAX_NAMES]:
        yield from _lists_in(document, value, depth + 1)


def _tells(document: JsonDocument, span: Span) -> bool:
    for element in islice(document.elements(span), 20):
        entry = document.load(element)
        if isinstance(entry, dict) and tells_of_findings(meanings(tuple(flattened(entry)))):
            return True
    return False


def _shape(
    names: tuple[str, ...], shapes: dict[tuple[str, ...], tuple[dict[str, str], tuple[str, ...]]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the names mean; most entries of a document have the same."""
    known = shapes.get(names)
    if known is None:
        parts = meanings(names)
        taken = set(parts.values())
        known = parts, tuple(name for name in names if name not in taken)
        shapes[names] = known
        if len(shapes) > MAX_SHAPES:
            raise BadInput("too_many_shapes", f"The entries have more than {MAX_SHAPES} different sets of names.")
    return known


def flattened(entry: dict[str, Any]) -> dict[str, object]:
    """`{"start": {"line": 3}}` as `start.line`, a few levels deep; lists stay what they are."""
    found: dict[str, object] = {}
    waiting: list[tuple[str, dict[str, Any], int]] = [("", entry, 1)]
    while waiting and len(found) < MAX_NAMES:
        prefix, one, depth = waiting.pop()
        for key, value in list(one.items())[:MAX_NAMES]:
            name = f"{prefix}{line_text(key, 80)}"
            if isinstance(value, dict) and depth < MAX_FLAT:
                waiting.append((f"{name}.", value, depth + 1))
            elif not isinstance(value, dict):
                found[name] = value
    return found


def _mapped(entry: dict[str, Any], mapping: Mapping) -> tuple[dict[str, str], tuple[str, ...]]:
    parts = {part: column for part, column in mapping.fields if at(entry, column, _ABSENT) is not _ABSENT}
    first = {next(iter(_STEP.findall(column)), "") for _, column in mapping.fields}
    return parts, tuple(name for name in list(entry)[:MAX_NAMES] if name not in first)


def at(entry: object, path: str, absent: object = None) -> object:
    """What stands under a path such as `location.lines[0].begin`; a name with a full stop in it is found as well."""
    if isinstance(entry, dict) and path in entry:
        return entry[path]
    for step in _STEP.findall(path):
        if isinstance(entry, dict) and step in entry:
            entry = entry[step]
        elif isinstance(entry, list) and step.isascii() and step.isdigit() and int(step[:6]) < len(entry):
            entry = entry[int(step[:6])]
        else:
            return absent
    return entry


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{line_text(name, 60)}"' for name in names[:40])
    return f"{shown} and {len(names) - 40} more" if len(names) > 40 else shown or "none"
