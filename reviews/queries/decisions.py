"""What was decided of findings, as pages and the API show it: bounded, within what the reader may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import OuterRef, Q, QuerySet, Subquery

from portal.core import access
from portal.core.access import Role, within
from portal.core.clock import Wall
from reviews import decisions
from reviews.models import Decision, DecisionState, Occurrence
from tickets.fields import number_of
from tickets.queries import WORDS_SEARCHED, Page, page_of, seen_by
from tickets.rights import project_ids

# What ends within so many days is said to end soon.
SOON_DAYS: Final = 14


@dataclass(slots=True)
class Shown:
    """A decision in a sentence, and what the reader may do with it; ``why_not`` they cannot give it."""

    decision: Decision
    words: str
    gives: bool
    why_not: str
    ends: bool
    # whether the reader asked for it
    own: bool
    # a form about it that was refused, with what was typed
    tried: Any = None

    @property
    def asked(self) -> bool:
        return self.decision.state == DecisionState.ASKED


def shown(decision: Decision, reader: Any) -> Shown:
    reviews = access.may(reader, within(Role.REVIEWER), decision.finding.series.project.scope)
    waits = decision.state == DecisionState.ASKED
    why_not = decisions.why_not_give(decision, reader) if waits and reviews else ""
    return Shown(
        decision,
        decisions.in_words(decision),
        gives=reviews and waits and not why_not,
        why_not=why_not,
        ends=reviews and decision.state in decisions.STANDING,
        own=decision.asked_by_id == reader.pk,
    )


def of_findings(findings: Iterable[int], reader: Any) -> dict[int, Shown]:
    """What stands of these findings, by their ids; one query."""
    rows = decisions.standing().filter(finding__in=list(findings)).order_by("pk")
    return {row.finding_id: shown(row, reader) for row in rows}


def by_number(number: int) -> Decision | None:
    rows = Decision.objects.select_related("finding__series__project", "asked_by", "given_by")
    return rows.filter(pk=number).first() if number < 2**63 else None


def to_give(reader: Any) -> QuerySet[Decision]:
    """Waivers that wait for a second person, who ``reader`` can be."""
    projects = project_ids(reader, Role.REVIEWER)
    rows = Decision.objects.filter(state=DecisionState.ASKED).exclude(asked_by=reader.pk)
    return rows if projects is None else rows.filter(finding__series__project__in=projects)


def matching(reader: Any, wanted: dict[str, str]) -> QuerySet[Decision]:
    """The decisions that ``reader`` may see and that the filters of a list let through."""
    rows: QuerySet[Decision] = seen_by(
        reader, Decision.objects.select_related("finding__series__project"), "finding__series__project"
    )
    same = {"project": "finding__series__project__key", "kind": "kind"}
    rows = rows.filter(**{column: wanted[name] for name, column in same.items() if wanted.get(name)})
    rows = rows.filter(_of_state(wanted.get("state", "")))
    for name, column in (("finding", "finding"), ("decision", "pk")):
        if wanted.get(name):
            rows = rows.filter(**{column: number_of(wanted[name]) or 0})
    for word in wanted.get("q", "").split()[:WORDS_SEARCHED]:
        said = Q(finding__title__icontains=word) | Q(finding__reference__istartswith=word)
        rows = rows.filter(said | Q(reason__icontains=word) | Q(scope__iexact=word))
    said_in = Occurrence.objects.filter(finding=OuterRef("finding")).order_by("-review_id").values("review_id")[:1]
    found: QuerySet[Decision] = rows.annotate(said_in=Subquery(said_in))
    return found


def decision_list(reader: Any, wanted: dict[str, str], before: int | None) -> Page:
    return page_of(matching(reader, wanted), before)


def _of_state(asked: str) -> Q:
    if asked == "standing":
        return Q(state__in=decisions.STANDING)
    if asked == "soon":
        return Q(state__in=decisions.STANDING, until__lte=Wall(SOON_DAYS * 86_400))
    return Q(state=asked) if asked else Q()
