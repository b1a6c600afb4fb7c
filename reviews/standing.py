"""Where a finding stands: read from its edges and its state by one function, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, IntegerField, OuterRef, Q, QuerySet, Subquery, When

from reviews.models import Edge, Evidence, Finding, FindingState

OPEN: Final = "open"
CLAIMED: Final = "fix claimed"
PRESENT: Final = "fix present"
LIVE: Final = "live"
VERIFIED: Final = "verified live"
WORDS: Final = (OPEN, CLAIMED, PRESENT, LIVE, VERIFIED)
COMMIT_SHOWN: Final = 9

# How far each edge reaches; of two that reach as far, the newer one says it.
_REACH: Final = {Edge.TURN: 1, Edge.COMMIT: 2, Edge.DEPLOYMENT: 3, Edge.HEALTH: 4}
_SAID: Final = {Edge.COMMIT: PRESENT, Edge.DEPLOYMENT: LIVE, Edge.HEALTH: VERIFIED}


@dataclass(frozen=True, slots=True)
class Standing:
    """``word`` is one of the five, or "" for what nobody means to fix; ``through`` is what says so."""

    word: str
    through: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.word.capitalize()}{self.through}"


def with_newest(rows: QuerySet[Any], finding: str = "pk") -> QuerySet[Any]:
    """Rows with the newest edge of their finding and the one that reaches farthest, in the list's own statement."""
    edges = Evidence.objects.filter(finding=OuterRef(finding))
    newest, farthest = edges.order_by("-at", "-pk"), _farthest(edges)
    annotated: QuerySet[Any] = rows.annotate(
        newest_edge=Subquery(newest.values("edge")[:1]),
        newest_ref=Subquery(newest.values("ref")[:1]),
        far_edge=Subquery(farthest.values("edge")[:1]),
        far_ref=Subquery(farthest.values("ref")[:1]),
        far_place=Subquery(farthest.values("place")[:1]),
    )
    return annotated


def carry_over(row: Any, finding: Finding) -> None:
    """Give ``finding`` what ``with_newest`` found on ``row``."""
    for name in ("newest_edge", "newest_ref", "far_edge", "far_ref", "far_place"):
        setattr(finding, name, getattr(row, name))


def _farthest(edges: QuerySet[Evidence]) -> QuerySet[Evidence]:
    """Without releases: a release that nothing brought anywhere says no more than the commit in it."""
    reach = Case(*(When(edge=edge, then=number) for edge, number in _REACH.items()), output_field=IntegerField())
    return edges.exclude(edge=Edge.RELEASE).annotate(reach=reach).order_by("-reach", "-at", "-pk")


def standing_of(finding: Finding) -> Standing:
    """Asks the database once, unless the row comes from ``with_newest``.

    A finding that is open although a commit fixed it was opened again since:
    that commit is no fix of it. One that is called fixed without a commit is claimed to be.
    """
    if finding.state not in {FindingState.OPEN, FindingState.FIXED}:
        return Standing("")
    if not hasattr(finding, "newest_edge"):
        finding = with_newest(Finding.objects.all()).get(pk=finding.pk)
    newest, turn = finding.newest_edge, str(finding.newest_ref or "")  # type: ignore[attr-defined]
    if finding.state == FindingState.OPEN:
        return Standing(CLAIMED, f" by turn {turn.rpartition('/')[2]}") if newest == Edge.TURN else Standing(OPEN)
    edge, ref, place = finding.far_edge, finding.far_ref, finding.far_place  # type: ignore[attr-defined]
    if edge == Edge.TURN:
        return Standing(CLAIMED, f" by turn {ref.rpartition('/')[2]}")
    if edge is None:
        return Standing(CLAIMED)
    return Standing(_SAID[Edge(edge)], f" in {ref[:COMMIT_SHOWN]}" if edge == Edge.COMMIT else f": {place}")


def standing(finding: Finding) -> str:
    """ "open", "fix claimed", "fix present", "live" or "verified live"; "" for what was rejected or waived."""
    return standing_of(finding).word


def mark(findings: Iterable[Finding]) -> None:
    """Set ``standing`` of each, for a template."""
    for finding in findings:
        finding.standing = standing_of(finding)  # type: ignore[attr-defined]


def that_stand(rows: QuerySet[Finding], word: str) -> QuerySet[Finding]:
    """Those of ``rows``, which come from ``with_newest``, whose standing has this word: ``standing_of`` as a filter."""
    fixed, waiting = Q(state=FindingState.FIXED), Q(state=FindingState.OPEN)
    if word == OPEN:
        others = [edge for edge in Edge if edge != Edge.TURN]
        return rows.filter(waiting & (Q(newest_edge__isnull=True) | Q(newest_edge__in=others)))
    if word == CLAIMED:
        return rows.filter(fixed & ~_has(Edge.COMMIT, *_LIVE) | waiting & Q(newest_edge=Edge.TURN))
    if word == PRESENT:
        return rows.filter(fixed & _has(Edge.COMMIT) & ~_has(*_LIVE))
    if word == LIVE:
        return rows.filter(fixed & _has(Edge.DEPLOYMENT) & ~_has(Edge.HEALTH))
    return rows.filter(fixed & _has(Edge.HEALTH))


_LIVE: Final = (Edge.DEPLOYMENT, Edge.HEALTH)


def _has(*edges: Edge) -> Q:
    return Q(pk__in=Evidence.objects.filter(edge__in=edges).values("finding"))
