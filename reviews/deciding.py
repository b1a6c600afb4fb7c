"""What one item of a document does to the finding that it speaks of, and why, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from reviews.matching import path_of, usable
from reviews.models import FindingState, ImportRow, Severity

REASON_CHARS: Final = 300
QUOTED_CHARS: Final = 80
FILES_KEPT: Final = 50
CLAIMED: Final[dict[str, FindingState]] = {"fixed": FindingState.FIXED, "rejected": FindingState.REJECTED}
_HOW: Final = {
    "key": "Known by its key",
    "title": "Known by its title",
    "place": "Known by its file and nearly the same title",
}
Action = ImportRow.Action
# An item as it was read: what ``ImportRow.item`` holds.
Item = Mapping[str, Any]


class Described(Protocol):
    """What of a finding a document may say otherwise."""

    state: str
    title: str
    severity: str
    category: str
    reference: str
    ticket_key: str
    files: list[str]


def claimed(item: Item) -> FindingState:
    """The state that the document gives to it. What it lists without a word of the kind, or defers, is open."""
    return CLAIMED.get(item.get("status") or "", FindingState.OPEN)


def described(item: Item) -> dict[str, Any]:
    """The fields of a finding, as the document has them; those of which it says nothing are left out."""
    key = item.get("ticket_key") or ""
    said = {
        "title": item["title"][:300],
        "severity": item.get("severity") or "",
        "category": (item.get("category") or "")[:100],
        "reference": (key or item.get("ref") or "")[:40],
        "ticket_key": usable(key),
        "files": [place[:300] for place in (item.get("files") or [])[:FILES_KEPT]],
    }
    return {name: value for name, value in said.items() if value}


def changes(known: Described, item: Item) -> dict[str, Any]:
    """What the document says otherwise than the finding does now."""
    said = described(item)
    if known.ticket_key:
        # The key it came with stays: tickets may bear it.
        said.pop("ticket_key", None)
    return {name: value for name, value in said.items() if getattr(known, name) != value}


def decide(item: Item, known: Described | None, how: str) -> tuple[Action, str]:
    """The action of a row and its reason."""
    action, reason = _decide(item, known, how)
    return action, reason if len(reason) <= REASON_CHARS else f"{reason[: REASON_CHARS - 1]}…"


def _decide(item: Item, known: Described | None, how: str) -> tuple[Action, str]:
    status = item.get("status") or ""
    if known is None:
        closed = "" if claimed(item) == FindingState.OPEN else f", and {status} by the document's word"
        return Action.NEW, f"Not yet in this series{closed}; read as a finding: {item.get('reason') or 'as listed'}"
    if known.state == FindingState.WITHDRAWN:
        return Action.NEW, "Brought back: it was known here until its import was reverted."
    here = FindingState(known.state).label
    other = _differences(known, item)
    if known.state == FindingState.WAIVED:
        return Action.SEEN, f"Waived here, and stays waived whatever the document says; {other}."
    if known.state == FindingState.OPEN and claimed(item) != FindingState.OPEN:
        why = f": {item['status_reason']}" if item.get("status_reason") else ""
        return Action.CLOSE, f"Open here; the document says that it is {status}{why}"
    if known.state != FindingState.OPEN and claimed(item) == FindingState.OPEN:
        regression = ": a regression" if known.state == FindingState.FIXED else ""
        return Action.REOPEN, f"{here} here, and the document lists it as open again{regression}; {other}."
    deferred = "; the document defers it, so it stays open" if status == "deferred" else ""
    stays = f"{here.lower()} already" if known.state != FindingState.OPEN else "open"
    return Action.SEEN, f"{_HOW.get(how, 'Known')}, {stays}{deferred}; {other}."


def _differences(known: Described, item: Item) -> str:
    found = changes(known, item)
    said = []
    if "title" in found:
        said.append(f"its title was “{_quoted(known.title)}”")
    if "severity" in found:
        said.append(f"it is {_severity(found['severity'])} now, was {_severity(known.severity)}")
    if "files" in found:
        same = [path_of(place) for place in known.files] == [path_of(place) for place in found["files"]]
        said.append("its lines moved" if same else "it names other files")
    if "category" in found:
        said.append("its category is another")
    if "reference" in found:
        said.append(
            f"it is numbered {found['reference']} now" if known.reference else f"it has the number {found['reference']}"
        )
    return ", ".join(said) or "nothing of it changes"


def _severity(value: str) -> str:
    return str(Severity(value).label).lower() if value in Severity.values else value


def _quoted(text: str) -> str:
    return text if len(text) <= QUOTED_CHARS else f"{text[: QUOTED_CHARS - 1]}…"
