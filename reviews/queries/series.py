"""Finding by version: what each applied review of a series said of each finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.db.models import Case, IntegerField, OuterRef, Subquery, Value, When

from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, ReviewState, Series, Severity

VERSIONS_SHOWN: Final = 8
FINDINGS_SHOWN: Final = 60


class Cell(NamedTuple):
    """What a version says of a finding: an icon, its tone, and the words for it."""

    icon: str
    tone: str
    word: str


NEW: Final = Cell("plus", "run", "New")
STILL: Final = Cell("open", "", "Still there")
FIXED: Final = Cell("claimed", "warn", "Stated as fixed")
REJECTED: Final = Cell("x", "", "Rejected")
BACK: Final = Cell("undo", "bad", "Back again")
SILENT: Final = Cell("dots", "", "Not spoken of")
ABSENT: Final = Cell("", "", "Not yet known")
LEGEND: Final = (NEW, STILL, FIXED, REJECTED, BACK, SILENT)


class Row(NamedTuple):
    finding: Finding
    cells: list[Cell]


class Matrix(NamedTuple):
    """``older``: whether there are versions before those shown; ``more``: whether there are more findings."""

    versions: list[Review]
    older: bool
    rows: list[Row]
    more: bool
    legend: tuple[Cell, ...] = LEGEND


def worst_first() -> Case:
    order = (When(severity=severity, then=Value(place)) for place, severity in enumerate(Severity.values))
    return Case(*order, output_field=IntegerField())


def matrix(series: Series) -> Matrix | None:
    """The newest versions by their findings, open and grave ones first; None while there is one version alone."""
    applied = Review.objects.filter(series=series, state=ReviewState.APPLIED).defer("content", "reading")
    newest = list(applied.order_by("-number")[: VERSIONS_SHOWN + 1])
    if len(newest) < 2:
        return None
    versions = newest[:VERSIONS_SHOWN][::-1]
    first = Occurrence.objects.filter(finding=OuterRef("pk")).order_by("review__number").values("review__number")[:1]
    open_first = Case(When(state=FindingState.OPEN, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = Finding.objects.filter(series=series).exclude(state=FindingState.WITHDRAWN).annotate(first=Subquery(first))
    findings = list(rows.order_by(open_first, worst_first(), "pk")[: FINDINGS_SHOWN + 1])
    shown = findings[:FINDINGS_SHOWN]
    said = _said(versions, shown)
    table = [Row(finding, [_cell(said, finding, version) for version in versions]) for finding in shown]
    return Matrix(versions, len(newest) > VERSIONS_SHOWN, table, len(findings) > FINDINGS_SHOWN)


Said = dict[tuple[int, int], tuple[str, str]]


def _said(versions: Sequence[Review], findings: Sequence[Finding]) -> Said:
    """By review and finding: what the import did, and the status that the document gives."""
    wanted = {"review__in": versions, "finding__in": findings}
    actions = ImportRow.objects.filter(**wanted, left_out=False).values_list("review_id", "finding_id", "action")
    done = {(review, finding): action for review, finding, action in actions if finding is not None}
    spoken = Occurrence.objects.filter(**wanted).values_list("review_id", "finding_id", "status")
    return {(review, finding): (done.get((review, finding), ""), status) for review, finding, status in spoken}


def _cell(said: Said, finding: Finding, version: Review) -> Cell:
    first: int | None = finding.first  # type: ignore[attr-defined]
    if (version.pk, finding.pk) not in said:
        return ABSENT if first is None or version.number < first else SILENT
    action, status = said[version.pk, finding.pk]
    if status in {"fixed", "rejected"}:
        return FIXED if status == "fixed" else REJECTED
    if action == ImportRow.Action.REOPEN:
        return BACK
    return NEW if version.number == first else STILL
