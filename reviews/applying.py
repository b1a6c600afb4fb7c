"""A plan is applied: rows become findings and what the review says of them. Or it is put aside, in part or whole.

Everything happens under the lock of the series, on the plan that was made of
the series as it stands; the rows keep what was before, so that ``revert`` can
take it back.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery

from portal.core import bulk
from portal.core.lifecycle import Change, Gone, Refused, Stale
from portal.core.unit import current, unit_of_work
from reviews import evidence, prints
from reviews.deciding import changes, claimed, described
from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, ReviewState, Series, Severity
from reviews.reverting import Reverted, locked, revert
from reviews.transitions import FINDING, REVIEW
from tickets.models import Ticket

__all__ = ["Applied", "Reverted", "apply", "discard", "leave_out", "plan_is_stale", "revert"]

Action, Outcome = ImportRow.Action, ImportRow.Outcome
_CLOSING = {FindingState.FIXED: "fix", FindingState.REJECTED: "reject"}
_RESTORING = {
    FindingState.OPEN: "restore",
    FindingState.FIXED: "restore_fixed",
    FindingState.REJECTED: "restore_rejected",
}


class Applied(NamedTuple):
    """How many findings are new, seen again, closed, open again, carried; and how many were linked to tickets."""

    new: int
    seen: int
    closed: int
    reopened: int
    carried: int
    linked: int


def plan_is_stale(review: Review) -> bool:
    """Whether the series has moved on since the plan was made: then it must be read again."""
    if review.state != ReviewState.PLANNED:
        return False
    return Series.objects.filter(pk=review.series_id).exclude(version=review.planned_on).exists()


def apply(review: Review, *, document_keys: bool = True, expected_version: int | None = None) -> Applied:
    """Turn the plan into findings and occurrences. Raises ``Refused``; then nothing was changed.

    ``document_keys``: whether tickets made of its findings later take the keys
    that the document gives. Findings whose ticket is there are linked anyway.
    """
    with unit_of_work():
        _refuse_old_plan(review)
        every = ImportRow.objects.filter(review=review)
        rows = list(every.filter(left_out=False).order_by("n"))
        said = Counter(row.action for row in rows)
        reason = ", ".join(f"{said[action]} {action.label.lower()}" for action in Action if said[action])
        REVIEW.move(review, "apply", reason=reason, expected_version=expected_version, document_keys=document_keys)
        Series.objects.filter(pk=review.series_id).update(version=F("version") + 1)
        every.filter(left_out=True).update(outcome_reason="Left out of the plan.")
        return _Applying(review, rows).run()


def _refuse_old_plan(review: Review) -> None:
    """Lock the series, so that one plan at a time is applied to it, and to what it was made of."""
    series = Series.objects.select_for_update().get(pk=review.series_id)
    now = Review.objects.filter(pk=review.pk).values_list("state", "planned_on").first()
    if now and now[0] == ReviewState.PLANNED and now[1] != series.version:
        raise Refused(
            f"{series} has changed since this plan was made: another review was applied or reverted."
            " Read it again, then apply the new plan."
        )


class _Applying:
    """One plan on its way into the series, whose lock is held."""

    def __init__(self, review: Review, rows: list[ImportRow]) -> None:
        self.review, self.rows = review, [row for row in rows if row.action != Action.CARRY]
        self.carried = len(rows) - len(self.rows)
        self.findings = locked(row.finding_id for row in self.rows if row.finding_id)
        self.tickets = self._tickets()
        self.numbers: Counter[str] = Counter()
        self.changes: list[Change[Finding]] = []
        # those to which a ticket, and all that it did, belongs from now on
        self.owned: list[Finding] = []

    def run(self) -> Applied:
        gone = [row for row in self.rows if row.action != Action.NEW and row.finding_id not in self.findings]
        if gone:
            raise Refused(
                f"A finding of row {gone[0].n} is not there any more. Read it again, then apply the new plan."
            )
        known = [row for row in self.rows if row.finding_id in self.findings]
        for row in known:
            self._change(row, self.findings[_finding_id(row)])
        FINDING.move_all(self.changes)
        self._make([row for row in self.rows if row.finding_id not in self.findings])
        evidence.relate(self.owned, reason=f"{self.review} was applied.")
        self._say(known)
        self._keep_outcomes(known)
        count = self.numbers
        return Applied(count["new"], count["seen"], count["close"], count["reopen"], self.carried, count["linked"])

    def _tickets(self) -> dict[str, int]:
        names = {row.ticket_key for row in self.rows if row.ticket_key}
        found = Ticket.objects.filter(project=self.review.series.project_id, key__in=names)
        return dict(found.values_list("key", "pk"))

    # What is known --------------------------------------------------------------

    def _change(self, row: ImportRow, finding: Finding) -> None:
        """What the row does to its finding as it is now: somebody may have answered it since the plan was made."""
        verb, fields = self._verb(row, finding), {} if row.item.get("older") else changes(finding, row.item)
        ticket = None if finding.ticket_id else self.tickets.get(row.ticket_key)
        if ticket:
            fields["ticket_id"] = ticket
            self.numbers["linked"] += 1
        if ticket or (verb and finding.state == FindingState.WITHDRAWN and finding.ticket_id):
            self.owned.append(finding)
        if verb:
            fields["answer"] = _answer(row) if verb != "open_again" else ""
        self.numbers[row.action if verb or row.action == Action.SEEN else Action.SEEN] += 1
        if verb or fields:
            kept = {name: getattr(finding, name) for name in fields}
            row.before = {"state": finding.state, "version": finding.version, **kept}
            self.changes.append(Change(finding, verb or "restated", fields, _reason(self.review, row)))

    def _verb(self, row: ImportRow, finding: Finding) -> str:
        """The transition that the row asks for, where the finding still is what it was planned for."""
        target = claimed(row.item)
        if finding.state == FindingState.WITHDRAWN:
            return _RESTORING[target]
        if row.action == Action.CLOSE and finding.state == FindingState.OPEN:
            return _CLOSING[target]
        if row.action == Action.REOPEN and finding.state in (FindingState.FIXED, FindingState.REJECTED):
            return "open_again"
        if row.action in (Action.CLOSE, Action.REOPEN):
            row.outcome_reason = f"It is {finding.state} already, so its state was left as it is."
        return ""

    # What is new ----------------------------------------------------------------

    def _make(self, rows: list[ImportRow]) -> None:
        work, scope = current(), f"project:{self.review.series.project_id}"
        made = [self._finding(row) for row in rows]
        Finding.objects.bulk_create(made, batch_size=bulk.CHUNK_ROWS)
        for row, finding in zip(rows, made, strict=True):
            row.finding_id = finding.pk
            self.findings[finding.pk] = finding
            self.numbers["new"] += 1
            if finding.ticket_id:
                self.numbers["linked"] += 1
                self.owned.append(finding)
            after = {"title": finding.title, "severity": finding.severity, "state": finding.state}
            work.record("finding.found", finding.subject, after=after, reason=_reason(self.review, row), scope=scope)
        if made:
            # One event a stream for all of them.
            FINDING.announce(made[-1])

    def _finding(self, row: ImportRow) -> Finding:
        said = {"severity": Severity.NONE, **described(row.item)}
        state = claimed(row.item)
        return Finding(
            series=self.review.series,
            identity=row.identity,
            state=state,
            answer=_answer(row) if state != FindingState.OPEN else "",
            ticket_id=self.tickets.get(row.ticket_key),
            **said,
        )

    # What is kept ---------------------------------------------------------------

    def _say(self, known: list[ImportRow]) -> None:
        """Occurrences and fingerprints; the row of a known finding remembers what was there and what was added."""
        here = Occurrence.objects.filter(review=self.review).values_list("finding_id", flat=True)
        said_before = set(here)
        Occurrence.objects.bulk_create(
            [_occurrence(self.review, row) for row in self.rows if row.finding_id not in said_before],
            batch_size=bulk.CHUNK_ROWS,
        )
        added = prints.write({_finding_id(row): row.item for row in self.rows})
        for row in known:
            if row.finding_id in said_before:
                row.before["said"] = True
            if _finding_id(row) in added:
                row.before["prints"] = added[_finding_id(row)]

    def _keep_outcomes(self, known: list[ImportRow]) -> None:
        """Three statements for all rows, and one a chunk for those that have something of their own to remember."""
        every = ImportRow.objects.filter(review=self.review, left_out=False)
        made = Finding.objects.filter(series=self.review.series_id, identity=OuterRef("identity"))
        every.filter(finding=None).update(finding_id=Subquery(made.values("pk")))
        now = Finding.objects.filter(pk=OuterRef("finding_id"))
        every.update(outcome=Outcome.APPLIED, finding_version=Subquery(now.values("version")))
        own = [row for row in known if row.before or row.outcome_reason]
        for chunk in bulk.chunks(own):
            fields = {row.pk: {"before": row.before, "outcome_reason": row.outcome_reason} for row in chunk}
            ImportRow.objects.filter(pk__in=list(fields)).update(**bulk.cases(ImportRow, fields))


def _finding_id(row: ImportRow) -> int:
    """Of a row that has its finding."""
    if row.finding_id is None:
        raise ValueError(f"{row} has no finding yet.")
    return row.finding_id


def _reason(review: Review, row: ImportRow) -> str:
    return f"{review}: {row.reason}"


def _answer(row: ImportRow) -> str:
    if claimed(row.item) == FindingState.OPEN:
        return ""
    return f"The review says so. {row.item.get('status_reason') or ''}".strip()


def _occurrence(review: Review, row: ImportRow) -> Occurrence:
    item: dict[str, Any] = row.item
    return Occurrence(
        finding_id=_finding_id(row),
        review=review,
        n=row.n,
        title=item["title"][:300],
        reference=(item.get("ticket_key") or item.get("ref") or "")[:40],
        severity_as_written=(item.get("severity_as_written") or "")[:60],
        category=(item.get("category") or "")[:100],
        files=item.get("files") or [],
        fields=item.get("fields") or [],
        status=item.get("status") or "",
        status_reason=(item.get("status_reason") or "")[:500],
        tier=item.get("tier") or "",
        rank=item.get("rank"),
        line_start=item["line_start"],
        line_end=item["line_end"],
        body=item.get("body") or "",
    )


def discard(review: Review, *, reason: str = "", expected_version: int | None = None) -> Review:
    """Put a plan aside; the document stays, and can be read again. Raises ``Refused``."""
    return REVIEW.move(review, "discard", reason=reason, expected_version=expected_version)


def leave_out(row: ImportRow, left_out: bool, *, expected_version: int | None = None) -> ImportRow:
    """Take a row out of the plan, or in again; ``row.review`` is the review as it is then.

    ``expected_version`` is the review's. Raises ``Refused``.
    """
    with unit_of_work():
        # The lock of the review orders this and applying: a row is left out before, or not at all.
        rows = Review.objects.select_for_update(of=("self",)).select_related("series").defer("content")
        review = rows.filter(pk=row.review_id).first()
        if review is None:
            raise Gone("The review of this row is not there any more.")
        if expected_version is not None and review.version != expected_version:
            raise Stale(review.subject, expected_version, review.version)
        if review.state != ReviewState.PLANNED:
            raise Refused(f"{review} is {review.state}: only the rows of a plan can be left out or taken in.")
        if row.action == Action.CARRY:
            raise Refused("The document does not speak of this finding, so there is nothing to leave out.")
        if ImportRow.objects.filter(pk=row.pk, review=review).exclude(left_out=left_out).update(left_out=left_out):
            # The review's version rises: who decides on the plan as it was before is told so.
            verb = "row_left_out" if left_out else "row_taken_in"
            REVIEW.move_all([Change(review, verb, reason=f"Row {row.n}: {row.item.get('title') or row.identity}")])
    row.review, row.left_out = review, left_out
    return row
