"""The list of reviews, and what one review says of itself: a constant number of queries."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import F, OuterRef, QuerySet, Subquery

from portal.core.models import Activity
from reviews.documents import IMPORT_KIND
from reviews.models import ActionItem, Check, ImportRow, Review, Series, Severity
from tickets.models import Project
from tickets.queries import Page, page_of, seen_by
from workers.models import LIVE_STATES, Attempt, Job

PARTS_SHOWN: Final = 200
SERIES_SUGGESTED: Final = 200


def review_list(reader: Any, *, project: str, state: str, before: int | None) -> Page:
    rows = seen_by(
        reader,
        Review.objects.select_related("series__project").defer("content", "read_text", "reading"),
        "series__project",
    )
    if project:
        rows = rows.filter(series__project__key=project)
    if state:
        rows = rows.filter(state=state)
    return page_of(rows.annotate(found=F("reading__found__total"), stated=F("reading__stated__total")), before)


def review_by_number(number: int) -> Review | None:
    rows = Review.objects.select_related("series__project", "subject_ticket").defer("content", "read_text")
    return rows.filter(pk=number).first() if number < 2**63 else None


def uploader(review: Review) -> str:
    received = Activity.objects.filter(subject=review.subject, verb="review.received")
    return received.values_list("actor_label", flat=True).order_by("id").first() or ""


def reading_job(review: Review) -> Job | None:
    """The job that reads the document, while it waits or runs; ``began_at`` is when its newest attempt did."""
    newest = Attempt.objects.filter(job=OuterRef("pk"), fence=OuterRef("fence")).values("started_at")
    jobs = Job.objects.filter(kind=IMPORT_KIND, unique_key=review.subject, state__in=LIVE_STATES)
    return jobs.annotate(began_at=Subquery(newest[:1])).first()


def series_names(projects: QuerySet[Project], key: str) -> list[Series]:
    """The series of these projects that somebody may mean, the newest first."""
    rows = Series.objects.filter(project__in=projects.filter(key=key) if key else projects)
    return list(rows.select_related("project").order_by("-pk")[:SERIES_SUGGESTED])


# What the reading said ----------------------------------------------------------


class Total(NamedTuple):
    severity: str
    stated: int | None
    found: int

    @property
    def difference(self) -> int:
        return 0 if self.stated is None else self.found - self.stated


class Totals(list[Total]):
    @property
    def differ(self) -> bool:
        return any(total.difference for total in self)


def totals(reading: dict[str, Any]) -> Totals:
    """Stated beside found, by severity; those of which the document has none and says none are left out."""
    stated, found = reading.get("stated") or {}, reading.get("found") or {}
    return Totals(
        Total(name, stated.get(name), found.get(name, 0))
        for name in (*Severity.values, "total")
        if name in stated or found.get(name)
    )


class Parts(NamedTuple):
    """What a document lists beside its findings; what is beyond the bound is counted."""

    checks: list[Check]
    more_checks: int
    actions: list[ActionItem]
    more_actions: int


def parts(review: Review) -> Parts:
    checks, more_checks = _first(Check.objects.filter(review=review))
    actions, more_actions = _first(ActionItem.objects.filter(review=review).select_related("owner"))
    return Parts(checks, more_checks, actions, more_actions)


def _first(rows: QuerySet[Any]) -> tuple[list[Any], int]:
    found = list(rows.order_by("n")[:PARTS_SHOWN])
    return found, rows.count() - len(found) if len(found) == PARTS_SHOWN else 0


class Place(NamedTuple):
    """Words that name a finding, and the finding where it is on the page."""

    text: str
    finding: int


class Tier(NamedTuple):
    """One step of the author's order of fixing: its items, and the references that no item has words for."""

    label: str
    line: int
    places: list[Place]
    items: list[Place]


def tiers(reading: dict[str, Any], places: dict[str, int]) -> list[Tier]:
    return [_tier(tier, places) for tier in (reading.get("fix_order") or [])[:PARTS_SHOWN]]


def _tier(tier: dict[str, Any], places: dict[str, int]) -> Tier:
    refs: list[str] = tier["refs"]
    items = []
    for item in tier.get("items", []):
        named = [ref for ref in refs if ref in item]
        rest = item
        for ref in named:
            rest = rest.replace(ref, "")
        # An item that is nothing but references says no more than they do.
        if any(letter.isalnum() for letter in rest):
            items.append(Place(item, next((places[ref] for ref in named if ref in places), 0)))
    bare = [ref for ref in refs if not any(ref in item.text for item in items)]
    return Tier(tier["label"], tier["line"], [Place(ref, places.get(ref, 0)) for ref in bare], items)


# What became of it ----------------------------------------------------------------


class TakenBack(NamedTuple):
    """A review that was reverted: how many rows were taken back, and those that were kept."""

    number: int
    kept: list[ImportRow]
    more: int


def taken_back(review: Review) -> TakenBack:
    rows = ImportRow.objects.filter(review=review)
    kept = rows.filter(outcome=ImportRow.Outcome.KEPT).select_related("finding__ticket")
    shown, more = _first(kept)
    return TakenBack(rows.filter(outcome=ImportRow.Outcome.REVERTED).count(), shown, more)
