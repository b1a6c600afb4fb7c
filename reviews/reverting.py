"""An import is taken back: every finding as it was before, but for what somebody has touched since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery

from portal.core import bulk
from portal.core.lifecycle import Change, Refused
from portal.core.unit import unit_of_work
from reviews import decisions, evidence
from reviews.models import Finding, FindingState, Fingerprint, ImportRow, Occurrence, Review, ReviewState, Series
from reviews.transitions import FINDING, REVIEW

Action, Outcome = ImportRow.Action, ImportRow.Outcome
# What brings a finding back to the state that it had before the import.
_BACK = {
    FindingState.OPEN: "open_again",
    FindingState.FIXED: "fix",
    FindingState.REJECTED: "reject",
    FindingState.WITHDRAWN: "withdraw",
}
_COLUMNS = (
    "title",
    "severity",
    "category",
    "rule",
    "reference",
    "ticket_key",
    "files",
    "answer",
    "ticket_id",
    "merged_into_id",
)
_LOCKED = ("id", "series_id", "identity", "state", "version", *_COLUMNS)


class Reverted(NamedTuple):
    """How many rows were taken back, and how many were kept because somebody touched their finding since."""

    taken_back: int
    kept: int


def revert(review: Review, *, reason: str, expected_version: int | None = None) -> Reverted:
    """Take back what applying did. Raises ``Refused`` unless it is the last that was applied to its series.

    Importing the document again afterwards gives the same findings, with the
    same ids.
    """
    with unit_of_work():
        _refuse_if_built_upon(review)
        REVIEW.move(review, "revert", reason=reason, expected_version=expected_version)
        Series.objects.filter(pk=review.series_id).update(version=F("version") + 1)
        return _Reverting(review, reason).run()


def locked(series: Series, wanted: Iterable[int]) -> dict[int, Finding]:
    """These findings of the series by their ids, locked in id order until the transaction ends."""
    found: dict[int, Finding] = {}
    for chunk in bulk.chunks(sorted(wanted)):
        rows = Finding.objects.filter(pk__in=chunk, series=series).select_for_update(no_key=True)
        for row in bulk.read(rows.order_by("pk"), _LOCKED):
            # One series for all of them, instead of one more object with each.
            row.series = series
            found[row.pk] = row
    return found


def _refuse_if_built_upon(review: Review) -> None:
    """Lock the series; what was applied after this review was planned on what it made."""
    Series.objects.select_for_update().get(pk=review.series_id)
    applied = Review.objects.filter(series=review.series_id, state=ReviewState.APPLIED).select_related("series")
    # Applying raises the version of the series, so each plan that was applied was made on a higher one.
    last = applied.defer("content", "read_text", "reading").order_by("-planned_on", "-number").first()
    if last and last.pk != review.pk and applied.filter(pk=review.pk).exists():
        raise Refused(f"{last} was applied after {review} and builds on it: revert {last} first.")


class _Reverting:
    """One import on its way back; the lock of its series is held."""

    def __init__(self, review: Review, reason: str) -> None:
        self.review, self.reason = review, f"{review} was reverted: {reason}" if reason else f"{review} was reverted."
        rows = ImportRow.objects.filter(review=review, outcome=Outcome.APPLIED).order_by("n")
        # Of a finding that was not spoken of something changed where a person said so.
        rows = rows.exclude(action=Action.CARRY, before={})
        # What was read is not needed here, and it is most of a row.
        self.rows = list(rows.defer("item", "reason"))
        self.findings = locked(review.series, (row.finding_id for row in self.rows if row.finding_id))

    def run(self) -> Reverted:
        kept: dict[int, str] = {}
        back: list[tuple[ImportRow, Finding]] = []
        for row in self.rows:
            finding = self.findings.get(row.finding_id or 0)
            if finding is None:
                kept[row.pk] = "Its finding was deleted since."
            elif finding.version != row.finding_version:
                kept[row.pk] = _touched(finding)
            else:
                back.append((row, finding))
        self._unsay(back)
        self._change(back)
        self._keep_outcomes(kept)
        return Reverted(len(back), len(kept))

    def _unsay(self, back: list[tuple[ImportRow, Finding]]) -> None:
        gone = [finding.pk for row, finding in back if not row.before.get("said")]
        added = [pk for row, _ in back for pk in row.before.get("prints", [])]
        for chunk in bulk.chunks(gone):
            Occurrence.objects.filter(review=self.review, finding__in=chunk).delete()
        for chunk in bulk.chunks(added):
            Fingerprint.objects.filter(pk__in=chunk).delete()

    def _change(self, back: list[tuple[ImportRow, Finding]]) -> None:
        changes: list[Change[Finding]] = []
        versions: dict[int, int] = {}
        for row, finding in back:
            change = self._of(row, finding)
            if change is not None:
                changes.append(change)
                versions[finding.pk] = row.before.get("version", 0)
        # What a ticket did is no evidence of a finding that it lost.
        owned = [
            each.row
            for each in changes
            if "ticket_id" in each.fields or (each.verb == "withdraw" and each.row.ticket_id)
        ]
        FINDING.move_all(changes)
        decisions.settle((change.row.pk for change in changes), self.reason)
        evidence.relate(owned, reason=self.reason)
        self._keep_up(versions)

    def _of(self, row: ImportRow, finding: Finding) -> Change[Finding] | None:
        if row.action == Action.NEW and not row.before.get("state"):
            # Its fields stay, for the next time that the document is imported.
            fields: dict[str, Any] = {"ticket_id": None} if finding.ticket_id else {}
            return Change(finding, "withdraw", fields, self.reason)
        fields = {name: row.before[name] for name in _COLUMNS if name in row.before}
        state = row.before.get("state", finding.state)
        if state == finding.state and not fields:
            return None
        return Change(finding, "restated" if state == finding.state else _BACK[state], fields, self.reason)

    def _keep_up(self, versions: dict[int, int]) -> None:
        """Earlier imports that nobody touched between stay untouched: their rows follow to the new version."""
        for chunk in bulk.chunks(sorted(versions)):
            rows = ImportRow.objects.filter(finding__in=chunk, outcome=Outcome.APPLIED).exclude(review=self.review)
            columns = rows.values_list("pk", "finding_id", "finding_version")
            behind = [pk for pk, finding, version in columns if version == versions[finding]]
            now = Finding.objects.filter(pk=OuterRef("finding_id")).values("version")
            for some in bulk.chunks(behind):
                ImportRow.objects.filter(pk__in=some).update(finding_version=Subquery(now))

    def _keep_outcomes(self, kept: dict[int, str]) -> None:
        every = ImportRow.objects.filter(review=self.review, outcome=Outcome.APPLIED)
        for chunk in bulk.chunks(sorted(kept)):
            said = bulk.cases(ImportRow, {pk: {"outcome_reason": kept[pk][:300]} for pk in chunk})
            every.filter(pk__in=chunk).update(outcome=Outcome.KEPT, **said)
        every.update(outcome=Outcome.REVERTED)


def _touched(finding: Finding) -> str:
    """Why a finding was kept, as far as it shows."""
    bears = f" {finding.ticket.key} is its ticket." if finding.ticket else ""
    return f"Somebody has changed it since, so it was kept: it is {finding.state}.{bears}"
