"""Lists in lists: an item that names only a severity, a status, a file or a kind of problem heads those under it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reviews.importing import decoys
from reviews.importing.document import Block
from reviews.importing.fields import fields_in
from reviews.importing.paths import paths_in
from reviews.importing.regions import Region, finding_group, group_severity, group_status
from reviews.importing.titles import plain, read_title

MAX_DEPTH = 4
MAX_GROUP = 80
MAX_WORDS = 5

_COUNT = re.compile(r"\s+\(\d{1,4}[^()]{0,20}\)$")
_ONLY_PLACE = re.compile(r"^[\w@.+~/\\()\[\]-]+(?:\s?[:#(]?\s?L?\d[\d,\s–-]*\)?)?:?$")


@dataclass(frozen=True, slots=True)
class Leaf:
    """An item that heads no others, the region it stands in, and the file named above it."""

    block: Block
    region: Region
    place: str = ""


def leaves(items: Sequence[Block], region: Region) -> Iterator[Leaf]:
    """The items of a list that may be findings, whatever they are grouped by."""
    for block in items:
        yield from _under(Leaf(block, region), _all_lead(items), MAX_DEPTH)


def _under(leaf: Leaf, lead: bool, depth: int) -> Iterator[Leaf]:
    inner = [child for child in leaf.block.children if child.kind == "item"]
    group = _group(leaf, lead) if inner and depth else None
    if group is None:
        yield leaf
        return
    if group.region.kind == "decoy":
        return
    for child in inner:
        yield from _under(replace(group, block=child), _all_lead(inner), depth - 1)


def _group(leaf: Leaf, lead: bool) -> Leaf | None:
    """What an item says of those under it, or None where it stands for itself."""
    raw, region = leaf.block.text.strip(), leaf.region
    text = plain(raw).strip(" :")
    if len(text) > MAX_GROUP or "\n" in raw or not text:
        return None
    if decoys.decoy_heading(text) is not None:
        return replace(leaf, region=replace(region, kind="decoy", decoy=decoys.decoy_heading(text)))
    kind = "findings" if region.kind == "neutral" else region.kind
    severity, written = group_severity(text, read_title(text))
    if severity is not None:
        rated = replace(region, kind=kind, group=True, severity=severity, severity_as_written=written)
        return replace(leaf, region=rated)
    status = group_status(text)
    if status is not None:
        stated = replace(region, kind=kind, group=True, status=status, status_reason=f'under the item "{text}"')
        return replace(leaf, region=stated)
    place = only_place(text)
    if place:
        return replace(leaf, place=place)
    if len(text.split()) <= MAX_WORDS and _heads(raw):
        if finding_group(text):
            return replace(leaf, region=replace(region, kind=kind, category=text))
        if lead and leaf.block.number is None:
            return replace(leaf, region=replace(region, category=text))
    return None


def only_place(title: str) -> str:
    """The file that a title names and says nothing more of, but how many comments there are."""
    text = _COUNT.sub("", plain(title).strip(" :")).strip("`* :")
    places = paths_in(f"`{text}`", labelled=False) if text and _ONLY_PLACE.match(text) else ()
    return places[0] if places else ""


def _heads(raw: str) -> bool:
    return raw.rstrip("*_ ").endswith((":", "："))


def _all_lead(items: Sequence[Block]) -> bool:
    """Several items, each a few words, a colon, and a list under it that labels no parts."""
    return len(items) > 1 and all(
        _heads(item.text) and any(child.kind == "item" for child in item.children) and not _labels(item)
        for item in items
    )


def _labels(item: Block) -> bool:
    return any(field.meaning for field in fields_in(child for child in item.children if child.kind == "item"))
