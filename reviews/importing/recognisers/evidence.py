"""How a list shows by its own items that it is one of findings: ratings, places in the code, complaints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from reviews.importing import decoys
from reviews.importing.complaints import complains, denies, says_fine
from reviews.importing.fields import Field, fields_in, meanings
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.items import Item

MIN_ITEMS = 2
MIN_RATED = 0.6
MIN_PLACED = 0.5
MIN_WRONG = 0.3
MAX_DATED = 0.3
MAX_CHILDREN = 6
MAX_GOOD = 0.3
MAX_ASKING = 0.5
MIN_FIELDS = 2
TELLING = frozenset({"severity", "priority", "issue", "impact", "fix", "files", "status"})

Sureness = Literal["commented", "fielded", "rated", "placed", "complaining"]

_DATED = re.compile(
    r"^\W*(?:v?\d+\.\d+\.\d+\b|\d{4}-\d\d-\d\d|\d{1,2}:\d\d\b|\d{1,2}[./]\d{1,2}[./]\d{2,4}|https?://|[0-9a-f]{7,40}\b(?=\s))"
)
_LINE = re.compile(r"[:#(\s]L?\d")
_CALL = re.compile(r"\b\w{2,}\(\)|`[^`\n]*\(\)[^`\n]*`|`\w+(?:\.\w+)+`")


def sureness(items: Sequence[Item], of_review: bool) -> Sureness | None:
    """What a list of siblings, in a place that says nothing of it, shows of itself; None where it shows too little.

    Complaints without lines in the code count only in a document that calls itself a review.
    """
    told = [item for item in items if item.opening.unwanted is None]
    if told and all(item.opening.marked and item.block.record for item in told):
        return "commented"
    if len(told) < MIN_ITEMS or _share(_DATED.match(item.whole) is not None for item in told) > MAX_DATED:
        return None
    if _share(item.opening.marked and item.block.record for item in told) >= MIN_PLACED:
        return "commented"
    if _share(_good(item) for item in told) > MAX_GOOD or _share(_asks(item) for item in told) > MAX_ASKING:
        return None
    if _share(len(meanings(item_fields(item)) & TELLING) >= MIN_FIELDS for item in told) >= MIN_PLACED:
        return "fielded"
    rated = _share(item.parts.severity is not None for item in told)
    wrong = _share(_complains(item) for item in told)
    if rated >= MIN_RATED:
        return "rated"
    lines = _share(_with_line(item) for item in told)
    if wrong >= MIN_WRONG and lines >= MIN_PLACED:
        return "placed"
    if not of_review:
        return None
    shown = _share(_complains(item) or _placed(item) for item in told)
    return "complaining" if shown >= MIN_RATED and wrong >= MIN_WRONG else None


def item_fields(item: Item) -> tuple[Field, ...]:
    return tuple(fields_in([item.block]))


def _good(item: Item) -> bool:
    return decoys.good_mark(item.block.text) or denies(item.whole) or says_fine(item.parts.title)


def _asks(item: Item) -> bool:
    return item.whole.rstrip().endswith(("?", "？"))


def _with_line(item: Item) -> bool:
    places = paths_in(_all_text(item), labelled=False)
    return bool(item.opening.line) or any(_LINE.search(place) for place in places)


def _placed(item: Item) -> bool:
    text = _all_text(item)
    return bool(item.place or item.opening.line or paths_in(text, labelled=False) or _CALL.search(text))


def _complains(item: Item) -> bool:
    return complains(_all_text(item))


def _all_text(item: Item) -> str:
    """The item with what is said under it."""
    told = [child.text for child in item.block.children[:MAX_CHILDREN] if child.kind in ("paragraph", "item")]
    return "\n".join((item.block.text, *told))


def _share(flags: Iterable[bool]) -> float:
    told = list(flags)
    return sum(told) / len(told) if told else 0.0
