"""Findings on their way into a file: read in portions, by key, with all that any of the forms says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery

from reviews import evidence
from reviews.models import Finding, FindingState, Fingerprint, Occurrence, Review, ReviewState

PORTION_ROWS: Final = 500
# The importer has four words; these are the nearest for states that it has none for.
STATUSES: Final[dict[str, str]] = {
    FindingState.OPEN: "open",
    FindingState.FIXED: "fixed",
    FindingState.REJECTED: "rejected",
    FindingState.WAIVED: "accepted risk",
    FindingState.DEFERRED: "deferred",
    FindingState.MERGED: "duplicate",
}


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint, by the algorithm that made it and its version."""

    algorithm: str
    version: int
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """A finding with its standing, its fingerprints, and in which versions of its series it was first and last said."""

    finding: Any
    standing: str
    prints: tuple[Print, ...]

    @property
    def status(self) -> str:
        return STATUSES.get(self.finding.state, "open")

    @property
    def place(self) -> str:
        return f"{self.finding.series.project.key} · {self.finding.series.name}"

    @property
    def said_twice(self) -> bool:
        """Whether its series has an earlier version that it could have been in."""
        return bool(self.finding.newest_version and self.finding.oldest_version != self.finding.newest_version)

    @property
    def is_new(self) -> bool:
        return bool(self.finding.first_said and self.finding.first_said == self.finding.newest_version)


def rows(found: QuerySet[Finding], most: int) -> Iterator[Row]:
    """The newest ``most`` of ``found``, newest first; a few statements a portion, none of which stays open."""
    last, left = 0, most
    marked = _marked(found)
    while left > 0:
        portion = list((marked.filter(pk__lt=last) if last else marked).order_by("-pk")[: min(PORTION_ROWS, left)])
        prints = _prints(portion)
        for finding in portion:
            yield Row(finding, evidence.standing(finding), tuple(prints.get(finding.pk, ())))
        if len(portion) < min(PORTION_ROWS, left):
            return
        last, left = portion[-1].pk, left - len(portion)


def _marked(found: QuerySet[Finding]) -> QuerySet[Finding]:
    """With the version of the first review that speaks of it, and the span of versions that its series has."""
    said = Occurrence.objects.filter(finding=OuterRef("pk"), review__state=ReviewState.APPLIED)
    first = said.order_by("review__number").values("review__number")[:1]
    spans = Review.objects.filter(series=OuterRef("series"), state=ReviewState.APPLIED).order_by().values("series")
    return found.select_related("series__project", "ticket", "merged_into").annotate(
        first_said=Subquery(first),
        oldest_version=Subquery(spans.annotate(least=Min("number")).values("least")),
        newest_version=Subquery(spans.annotate(most=Max("number")).values("most")),
    )


def _prints(portion: list[Finding]) -> dict[int, list[Print]]:
    found: dict[int, list[Print]] = {}
    wanted = Q(finding__in=[finding.pk for finding in portion])
    columns = ("finding_id", "algorithm", "algorithm_version", "value")
    for finding, algorithm, version, value in Fingerprint.objects.filter(wanted).order_by("pk").values_list(*columns):
        found.setdefault(finding, []).append(Print(algorithm, version, value))
    return found


def why(finding: Finding) -> str:
    """Why it is answered as it is, in one line."""
    said = " ".join(finding.answer.split())
    return f"Merged into {finding.merged_into}. {said}".strip() if finding.merged_into else said
