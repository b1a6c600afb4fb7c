"""Many findings answered with one reason: each under its own transition, all in one unit of work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from portal.core import limits
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews import answers
from reviews.models import Finding
from reviews.transitions import FINDING

# refusals that are kept with their reasons; of the others their number
REFUSALS_KEPT: Final = 50
COUNTED_ROWS: Final = 10_000


class Words(NamedTuple):
    """What is said of each of them, and who says it."""

    by: User
    reason: str
    evidence: str = ""
    until: datetime | None = None


class Answer(NamedTuple):
    """What many findings are answered with; ``needs`` is what it takes beside a reason."""

    label: str
    done: str
    needs: str = ""


VERBS: Final = {
    "fix": Answer("Call them fixed", "called fixed"),
    "reject": Answer("Reject them", "rejected", "evidence"),
    "defer": Answer("Defer them", "deferred", "until"),
    # a second person gives it; until then they stay open
    "waive": Answer("Ask for waivers", "waiting for a waiver", "until"),
    "open_again": Answer("Open them again", "open again"),
}


def _act(finding: Finding, verb: str, words: Words) -> None:
    if verb == "open_again":
        answers.open_again(finding, reason=words.reason)
    else:
        answers.answer(finding, verb, reason=words.reason, by=words.by, evidence=words.evidence, until=words.until)


class Refusal(NamedTuple):
    """What could not be done, and why. ``title`` is empty where the finding is not there any more."""

    finding: int
    title: str
    why: str


@dataclass(slots=True)
class Came:
    """What came of it. ``left``: how many more there are behind the bound."""

    done: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    left: int = 0

    def refuse(self, finding: int, title: str, why: str) -> None:
        self.refused += 1
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(Refusal(finding, title, why))


def answer(findings: Iterable[int], verb: str, words: Words) -> Came:
    """Answer each of these; one that cannot be is named with why, and stops no other.

    Raises ``Refused`` for a verb that is no answer to many, for more than are
    taken at once, and without a reason.
    """
    wanted = sorted(set(findings))
    most = limits.value("BULK_ANSWERS_ROWS")
    if verb not in VERBS:
        raise Refused(f"Many findings are answered by one of: {', '.join(VERBS)}.")
    if not words.reason.strip():
        raise Refused("Say why: the reason is what the next reader has.")
    if len(wanted) > most:
        raise Refused(f"At most {most:,} findings at once (you chose {len(wanted):,}).")
    came = Came()
    with unit_of_work():
        held = _locked(wanted)
        for number in wanted:
            finding = held.get(number)
            if finding is None:
                came.refuse(number, "", "It is not there any more.")
                continue
            try:
                # What one of them refuses is taken back to where it began, and no further.
                with unit_of_work():
                    _act(finding, verb, words)
            except Refused as refusal:
                came.refuse(number, finding.title, str(refusal))
            else:
                came.done += 1
    return came


def _locked(wanted: list[int]) -> dict[int, Finding]:
    """In the order of their ids, so that two of these never wait for each other in a circle."""
    rows = Finding.objects.filter(pk__in=wanted).select_for_update(of=("self",), no_key=True)
    return {row.pk: row for row in rows.select_related("series__project", "ticket").order_by("pk")}


def sources(verb: str) -> frozenset[str]:
    """The states that know the answer."""
    return FINDING.transitions[verb].sources


def able(rows: QuerySet[Finding], verb: str) -> QuerySet[Finding]:
    """Those of ``rows`` whose state knows the answer."""
    return rows.filter(state__in=sorted(sources(verb)))


# All that a filter lets through ----------------------------------------------------------


def counted(rows: QuerySet[Any]) -> int:
    """How many there are; one more than ``COUNTED_ROWS`` stands for more than that."""
    return rows.order_by().values("pk")[: COUNTED_ROWS + 1].count()


def spoken(number: int) -> str:
    return f"{number:,}" if number <= COUNTED_ROWS else f"more than {COUNTED_ROWS:,}"


class Taken(NamedTuple):
    """The first of them, in the order of their ids, and how many come after."""

    findings: list[Finding]
    left: int


def take(rows: QuerySet[Finding], expected: int, most: int) -> Taken:
    """What is to be acted on of all that match now. Raises ``Refused`` where it is another number than was seen."""
    now = counted(rows)
    if now != expected:
        raise Refused(
            f"{spoken(now).capitalize()} match now; it was {spoken(expected)} when you looked. Nothing was done."
            " Look at them, then decide."
        )
    found = list(rows.order_by("pk")[:most])
    return Taken(found, now - len(found))
