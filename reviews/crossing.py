"""What a document states of earlier versions, beside what its plan does with those findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reviews import world
from reviews.importing.model import Earlier
from reviews.models import Finding, FindingState, ImportRow, Review

NOTED: Final = 50
REFS_CHECKED: Final = 1000
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)*")
_ENDS: Final = {"fixed": FindingState.FIXED, "rejected": FindingState.REJECTED}
Action = ImportRow.Action


def notes(review: Review, earlier: Sequence[Earlier], rows: Sequence[ImportRow]) -> list[str]:
    """Where the two disagree, a sentence each; what is cut is counted in the last one."""
    stated = [(said.version or "", ref, status) for said in earlier for ref, status in said.refs if status]
    if not stated:
        return []
    found = _bearers(review, stated[:REFS_CHECKED])
    states = dict(Finding.objects.filter(pk__in=set(found.values())).values_list("pk", "state"))
    planned = {row.finding_id: row for row in rows if row.finding_id}
    said = [
        note
        for version, ref, status in dict.fromkeys(stated[:REFS_CHECKED])
        if (note := _note(version, ref, status, found.get((version, ref)), states, planned))
    ]
    more = len(said) - NOTED
    return [*said[:NOTED], f"{more} more such sentences are not shown."] if more > 0 else said


def _bearers(review: Review, stated: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str], int]:
    """The finding that bore each reference in the version that is named, else in the newest that had it."""
    borne = world.spoken_in(review, {ref for _, ref, _ in stated})
    found: dict[tuple[str, str], int] = {}
    for version, ref, _ in stated:
        own = [(pk, number, said) for name, pk, number, said in borne if name == ref]
        named = [pk for pk, number, said in own if _is(version, number, said)]
        if named or own:
            found[version, ref] = named[0] if named else own[0][0]
    return found


def _is(version: str, number: int, metadata: Mapping[str, Any]) -> bool:
    """Whether a version is meant: by its own word, else by its number in the series."""
    asked, own = _NUMBER.search(version), _NUMBER.search(str(metadata.get("version") or ""))
    if asked is None:
        return False
    return asked[0] == own[0] if own else asked[0] == str(number)


def _note(
    version: str, ref: str, status: str, pk: int | None, states: Mapping[int, str], planned: Mapping[int, ImportRow]
) -> str:
    named = f"{ref} of {version}" if version else ref
    if pk is None:
        return f"The document says that {named} is {status}, and this series knows no {ref}."
    ends, will = _ENDS.get(status, FindingState.OPEN), _will_be(states.get(pk, ""), planned.get(pk))
    if ends == will or (ends == FindingState.OPEN and will not in _ENDS.values()):
        return ""
    row = planned.get(pk)
    if row is not None and row.action == Action.CARRY:
        return f"The document says that {named} is {status}, but does not list it: say what became of it (row {row.n})."
    where = f" (row {row.n})" if row is not None else ""
    return f"The document says that {named} is {status}, and after this plan it is {will}{where}."


def _will_be(state: str, row: ImportRow | None) -> str:
    if row is None or row.action in (Action.SEEN, Action.KNOWN, Action.CARRY, Action.CHOOSE):
        return state
    return _ENDS.get(row.item.get("status") or "", FindingState.OPEN)
