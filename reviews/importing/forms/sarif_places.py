"""Where a SARIF result is: paths relative to the bases that the run names, and lines. Nothing is opened or fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from reviews.importing.forms.json_document import JsonDocument, Span
from reviews.importing.forms.values import (
    decoded,
    inside,
    line_number,
    line_text,
    objects,
    path_of,
    place,
    text_of,
    whole,
)

MAX_ARTIFACTS: Final = 200_000
MAX_BASES: Final = 100
MAX_PLACES: Final = 50
MAX_STEPS: Final = 20

_ABSOLUTE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_FILE: Final = re.compile(r"^file:/{0,3}(?=[A-Za-z]:)|^file:(?://[^/]*)?(?=/)|^file:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Base:
    uri: str
    base: str


@dataclass(slots=True)
class Bases:
    """The folders that a run calls by name. What is absolute differs from machine to machine and is left away."""

    named: dict[str, Base] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    artifacts: list[tuple[str, str]] = field(default_factory=list)

    def path(self, location: object) -> str:
        """The path of an artifactLocation."""
        uri, base = line_text(inside(location, "uri"), 1_000), line_text(inside(location, "uriBaseId"), 100)
        at = whole(inside(location, "index"))
        if not uri and at is not None and 0 <= at < len(self.artifacts):
            uri, base = self.artifacts[at]
        if not uri:
            return ""
        if _ABSOLUTE.match(uri):
            return self._relative(uri)
        return path_of(decoded(f"{self._prefix(base)}{uri}"))

    def _prefix(self, base: str) -> str:
        """The folders between the outermost base and the file; a base that names itself ends the way."""
        prefix, seen = "", set[str]()
        while base in self.named and base not in seen:
            seen.add(base)
            one = self.named[base]
            if _ABSOLUTE.match(one.uri):
                break
            prefix = f"{one.uri.rstrip('/')}/{prefix}" if one.uri.strip("/") else prefix
            base = one.base
        return prefix

    def _relative(self, uri: str) -> str:
        for root in self.roots:
            if uri.startswith(root) and len(uri) > len(root):
                return path_of(decoded(uri[len(root) :]))
        return path_of(decoded(_FILE.sub("", uri)))


def read_bases(document: JsonDocument, run: Mapping[str, Span]) -> Bases:
    said = document.load(run.get("originalUriBaseIds"))
    named: dict[str, Base] = {}
    for key, value in list(said.items())[:MAX_BASES] if isinstance(said, dict) else ():
        named[line_text(key, 100)] = Base(
            line_text(inside(value, "uri"), 1_000), line_text(inside(value, "uriBaseId"), 100)
        )
    absolute = {f"{base.uri.rstrip('/')}/" for base in named.values() if _ABSOLUTE.match(base.uri)}
    roots = tuple(sorted((root for root in absolute if len(root) > len("file:///")), key=len, reverse=True))
    artifacts = []
    for span in islice(document.elements(run.get("artifacts")), MAX_ARTIFACTS):
        location = document.load(document.members(span).get("location"))
        artifacts.append((line_text(inside(location, "uri"), 1_000), line_text(inside(location, "uriBaseId"), 100)))
    return Bases(named, roots, artifacts)


@dataclass(frozen=True, slots=True)
class Place:
    """One location: `wrong` where its line is no number of a line."""

    file: str
    logical: str
    message: str
    snippet: str
    id: int | None
    wrong: bool


def places(locations: object, bases: Bases) -> Iterator[Place]:
    for location in islice(objects(locations), MAX_PLACES):
        yield place_of(location, bases)


def place_of(location: Mapping[str, Any], bases: Bases) -> Place:
    physical = location.get("physicalLocation")
    region = inside(physical, "region")
    start, end = inside(region, "startLine"), inside(region, "endLine")
    first = line_number(start) if not isinstance(start, str) else None
    last = line_number(end) if not isinstance(end, str) else None
    wrong = (start is not None and first is None) or (end is not None and last is None)
    logical = next(objects(location.get("logicalLocations")), {})
    return Place(
        place(bases.path(inside(physical, "artifactLocation")), first, last),
        line_text(logical.get("fullyQualifiedName")) or line_text(logical.get("name")),
        line_text(inside(location, "message", "text")),
        text_of(inside(region, "snippet", "text"), 600),
        whole(location.get("id")),
        wrong,
    )


def steps(flows: object, bases: Bases) -> list[str]:
    """The way of the data through the code: the first flow, as places with what is said of each."""
    for flow in objects(flows):
        for thread in objects(flow.get("threadFlows")):
            found = [_step(inside(one, "location"), bases) for one in objects(thread.get("locations"))]
            return [step for step in found if step][:MAX_STEPS]
    return []


def _step(location: object, bases: Bases) -> str:
    if not isinstance(location, dict):
        return ""
    one = place_of(location, bases)
    return " ".join(part for part in (one.file, one.message) if part)
