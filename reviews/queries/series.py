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
NOT_ASSESSED: Final = Cell("dots", "", "Not assessed")
SAID_STILL: Final = Cell("open", "", "Still there, by a person's word")
SAID_FIXED: Final = Cell("claimed", "warn", "Fixed, by a person's word")
SAID_REJECTED: Final = Cell("x", "", "Rejected, by a person's word")
MERGED: Final = Cell("link", "", "Merged into another")
STAYS_REJECTED: Final = Cell("x", "", "Listed, stays rejected")
ABSENT: Final = Cell("", "", "Not yet known")
LEGEND: Final = (NEW, STILL, FIXED, REJECTED, BACK, MERGED, NOT_ASSESSED, SILENT)
SAID: Final = {
    ImportRow.Disposition.NOT_ASSESSED: NOT_ASSESSED,
    ImportRow.Disposition.STILL: SAID_STILL,
    ImportRow.Disposition.FIXED: SAID_FIXED,
    ImportRow.Disposition.REJECTED: SAID_REJECTED,
    ImportRow.Disposition.MERGED: MERGED,
}
BACK_AGAIN: Final = (ImportRow.Action.REOPEN, ImportRow.Action.REGRESS)


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
    applied = Review.objects.filter(series=series, state=ReviewState.APPLIED).defer("content", "read_text", "reading")
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


class Said(NamedTuple):
    """By review and finding: what the import did and the status that the document gives; and what a person said."""

    spoken: dict[tuple[int, int], tuple[str, str]]
    disposed: dict[tuple[int, int], str]


def _said(versions: Sequence[Review], findings: Sequence[Finding]) -> Said:
    wanted = {"review__in": versions, "finding__in": findings}
    rows = ImportRow.objects.filter(**wanted, left_out=False)
    columns = rows.values_list("review_id", "finding_id", "action", "disposition")
    done, disposed = dict[tuple[int, int], str](), dict[tuple[int, int], str]()
    for review, finding, action, disposition in columns:
        if finding is not None and disposition:
            disposed[review, finding] = disposition
        elif finding is not None:
            done[review, finding] = action
    spoken = Occurrence.objects.filter(**wanted).values_list("review_id", "finding_id", "status")
    return Said(
        {(review, finding): (done.get((review, finding), ""), status) for review, finding, status in spoken}, disposed
    )


def _cell(said: Said, finding: Finding, version: Review) -> Cell:
    first: int | None = finding.first  # type: ignore[attr-defined]
    at = version.pk, finding.pk
    if at not in said.spoken:
        if at in said.disposed:
            return SAID[ImportRow.Disposition(said.disposed[at])]
        return ABSENT if first is None or version.number < first else SILENT
    action, status = said.spoken[at]
    if status in {"fixed", "rejected"}:
        return FIXED if status == "fixed" else REJECTED
    if action in BACK_AGAIN:
        return BACK
    if action == ImportRow.Action.KNOWN:
        return STAYS_REJECTED
    return NEW if version.number == first else STILL
