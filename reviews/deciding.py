"""What one item of a document does to the finding that it speaks of, and why, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from reviews.fingerprints import path_of, usable
from reviews.models import FindingState, ImportRow, Severity

REASON_CHARS: Final = 300
QUOTED_CHARS: Final = 80
FILES_KEPT: Final = 50
CLAIMED: Final[dict[str, FindingState]] = {"fixed": FindingState.FIXED, "rejected": FindingState.REJECTED}
_HOW: Final = {
    "key": "Known by its key",
    "tool": "Known by the fingerprint of its tool",
    "titled": "Known by its title, in the same file",
    "region": "Known by the code that it names, which says the same as before",
    "title": "Known by its title",
    "place": "Known by its file and nearly the same title",
    "chosen": "Chosen by a person",
}
SHARED: Final = {
    "key": "the same key",
    "tool": "the same fingerprint of its tool",
    "titled": "the same title in the same file",
    "region": "the same code",
    "title": "the same title",
    "place": "the same file and nearly the same title",
}
# How an answer begins that a document gave by its own word.
BY_ITS_WORD: Final = "The review says so."
Action = ImportRow.Action
# An item as it was read: what ``ImportRow.item`` holds.
Item = Mapping[str, Any]


class Described(Protocol):
    """What of a finding a document may say otherwise."""

    state: str
    title: str
    severity: str
    category: str
    rule: str
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
        "rule": (item.get("rule") or "")[:200],
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


class Past(NamedTuple):
    """What is known of a closed finding that is listed again.

    ``holds``: why a rejection still counts, or empty where its premise has
    changed or where nobody but a document rejected it; ``says``: what of its
    past a reader needs.
    """

    holds: str = ""
    says: str = ""


def decide(item: Item, known: Described | None, how: str, past: Past | None = None) -> tuple[Action, str]:
    """The action of a row and its reason."""
    action, reason = _decide(item, known, how, past or Past())
    return action, cut(reason)


def cut(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARS else f"{reason[: REASON_CHARS - 1]}…"


def _decide(item: Item, known: Described | None, how: str, past: Past) -> tuple[Action, str]:
    status = item.get("status") or ""
    if known is None:
        closed = "" if claimed(item) == FindingState.OPEN else f", and {status} by the document's word"
        return Action.NEW, f"Not yet in this series{closed}; read as a finding: {item.get('reason') or 'as listed'}"
    if known.state == FindingState.WITHDRAWN:
        return Action.NEW, "Brought back: it was known here until its import was reverted."
    other = _differences(known, item)
    if known.state in _STAYING:
        return Action.SEEN, f"{_STAYING[FindingState(known.state)]}; {other}."
    if known.state == FindingState.OPEN and claimed(item) != FindingState.OPEN:
        why = f": {item['status_reason']}" if item.get("status_reason") else ""
        return Action.CLOSE, f"Open here; the document says that it is {status}{why}"
    if known.state != FindingState.OPEN and claimed(item) == FindingState.OPEN:
        return _back(known, other, past)
    deferred = "; the document defers it, so it stays open" if status == "deferred" else ""
    here = FindingState(known.state).label.lower()
    stays = f"{here} already" if known.state != FindingState.OPEN else "open"
    return Action.SEEN, f"{_HOW.get(how, 'Known')}, {stays}{deferred}; {other}."


_STAYING: Final = {
    FindingState.WAIVED: "Waived here, and stays waived whatever the document says",
    FindingState.DEFERRED: "Deferred here, and stays deferred until then whatever the document says",
    FindingState.MERGED: "Merged into another here, and stays so",
}


def _back(known: Described, other: str, past: Past) -> tuple[Action, str]:
    """What was closed is listed as open."""
    if known.state == FindingState.FIXED:
        said = f" {past.says}" if past.says else ""
        return (
            Action.REGRESS,
            f"Fixed here, and the document lists it as open again: a regression.{said} {_upper(other)}.",
        )
    if past.holds:
        return Action.KNOWN, f"Rejected already: {past.holds}; it stays rejected."
    why = f": {past.says}" if past.says else ""
    return Action.REOPEN, f"Rejected here, and the document lists it as open again{why}; {other}."


def _upper(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"


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
    if "rule" in found:
        said.append(f"its rule is {found['rule'][:QUOTED_CHARS]}")
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
