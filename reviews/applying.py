"""A plan is applied: rows become findings and what the review says of them. Or it is put aside.

Everything happens under the lock of the series, on the plan that was made of
the series as it stands; the rows keep what was before, so that ``revert`` can
take it back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import F, Max, OuterRef, Subquery

from portal.core import bulk
from portal.core.lifecycle import Change, Refused
from portal.core.models import User
from portal.core.unit import current, unit_of_work
from reviews import decisions, dispositions, evidence, holding, pasts, prints, world
from reviews.deciding import BY_ITS_WORD, changes, claimed, decide, described
from reviews.dispositions import leave_out
from reviews.models import Finding, FindingState, ImportRow, Occurrence, Review, ReviewState, Series, Severity
from reviews.reverting import Reverted, locked, revert
from reviews.transitions import FINDING, REVIEW
from tickets.models import Ticket

__all__ = ["Applied", "Reverted", "apply", "discard", "leave_out", "plan_is_stale", "revert"]

Action, Outcome, Disposition = ImportRow.Action, ImportRow.Outcome, ImportRow.Disposition
_CLOSING = {FindingState.FIXED: "fix", FindingState.REJECTED: "reject"}
_RESTORING = {
    FindingState.OPEN: "restore",
    FindingState.FIXED: "restore_fixed",
    FindingState.REJECTED: "restore_rejected",
}
_OPENING = {
    Action.REOPEN: (FindingState.FIXED, FindingState.REJECTED),
    Action.REGRESS: (FindingState.FIXED,),
}
# What applying needs of a row.
_READ = (
    "id",
    "review_id",
    "n",
    "action",
    "reason",
    "identity",
    "item",
    "chosen",
    "disposition",
    "disposition_reason",
    "merge_into_id",
    "ticket_key",
    "finding_id",
    "outcome_reason",
)
_SAID = (
    "finding_id",
    "review_id",
    "n",
    "title",
    "reference",
    "severity_as_written",
    "category",
    "files",
    "fields",
    "status",
    "status_reason",
    "tier",
    "rank",
    "line_start",
    "line_end",
    "body",
)


class Applied(NamedTuple):
    """How many findings are new, seen again, closed, open again, carried; and how many were linked to tickets.

    ``carried`` are those that stay open without a word of the document;
    ``regressed`` are of those that are open again, ``known`` of those that
    stay rejected.
    """

    new: int
    seen: int
    closed: int
    reopened: int
    carried: int
    linked: int
    regressed: int = 0
    known: int = 0


def plan_is_stale(review: Review) -> bool:
    """Whether the series has moved on since the plan was made: then it must be read again."""
    if review.state != ReviewState.PLANNED:
        return False
    return Series.objects.filter(pk=review.series_id).exclude(version=review.planned_on).exists()


def apply(
    review: Review,
    *,
    document_keys: bool = True,
    expected_version: int | None = None,
    rest: str = "",
    closing_meant: bool = False,
    by: User | None = None,
) -> Applied:
    """Turn the plan into findings and occurrences. Raises ``Refused``; then nothing was changed.

    ``document_keys``: whether tickets made of its findings later take the keys
    that the document gives. Findings whose ticket is there are linked anyway.
    ``rest`` is what became of the open findings of which neither the document
    nor a person has said anything; ``closing_meant`` that it may close as many
    as it does; ``by`` is whose word rejections are.
    """
    with bulk.uncollected(), unit_of_work():
        if _refuse_old_plan(review, expected_version):
            if rest:
                dispositions.dispose_rest(review, rest, expected_version=expected_version)
                expected_version = review.version if expected_version is not None else None
            holding.refuse(review, closing_meant=closing_meant)
        every = ImportRow.objects.filter(review=review)
        rows = bulk.read(every.filter(left_out=False).order_by("n"), _READ)
        for row in rows:
            # What applying changes is written there, and nothing else is.
            row.before = {}
        _resolve(review, rows)
        said = Counter(row.action for row in rows)
        reason = ", ".join(f"{said[action]} {action.label.lower()}" for action in Action if said[action])
        REVIEW.move(review, "apply", reason=reason, expected_version=expected_version, document_keys=document_keys)
        Series.objects.filter(pk=review.series_id).update(version=F("version") + 1)
        every.filter(left_out=True).update(outcome_reason="Left out of the plan.")
        return _Applying(review, rows, by).run()


def _refuse_old_plan(review: Review, expected_version: int | None) -> bool:
    """Lock the series, so that one plan at a time is applied to it, and to what it was made of.

    Whether there is a plan, of this version; where there is none, moving the review says so.
    """
    series = Series.objects.select_for_update().get(pk=review.series_id)
    now = Review.objects.filter(pk=review.pk).values_list("state", "planned_on", "version").first()
    if now is None or now[0] != ReviewState.PLANNED:
        return False
    if now[1] != series.version:
        raise Refused(
            f"{series} has changed since this plan was made: another review was applied or reverted."
            " Read it again, then apply the new plan."
        )
    return expected_version in (None, now[2])


def _resolve(review: Review, rows: list[ImportRow]) -> None:
    """What a person has chosen, as the row that it is."""
    choosing = [row for row in rows if row.action == Action.CHOOSE]
    known = world.known({row.chosen for row in choosing if row.chosen})
    newest = Occurrence.objects.filter(finding__in=known).values_list("finding").annotate(last=Max("review__number"))
    last = dict(newest)
    back = [known[row.chosen] for row in choosing if row.chosen in known]
    past = pasts.of(review.series.project, review.commit, back)
    former = world.known({row.item["former"] for row in choosing if row.chosen == 0 and "former" in row.item})
    former = {pk: one for pk, one in former.items() if one.state == FindingState.WITHDRAWN}
    for row in choosing:
        one = known.get(row.chosen or 0)
        if one is None:
            if row.chosen:
                raise Refused(f"The finding that was chosen in row {row.n} is not there any more: choose again.")
            row.action, row.reason = Action.NEW, "Chosen by a person: a new one."
            one = former.get(row.item.get("former") or 0)
        elif last.get(one.pk, 0) > review.number:
            row.action, row.item["older"] = Action.SEEN, True
            row.reason = f"Chosen by a person; v{last[one.pk]}, which is newer, speaks of it too."
        else:
            row.action, row.reason = decide(row.item, one, "chosen", past.get(one.pk))
        if one is not None:
            row.identity, row.finding_id = one.identity, one.pk
        row.before["resolved"] = True


class _Applying:
    """One plan on its way into the series, whose lock is held."""

    def __init__(self, review: Review, rows: list[ImportRow], by: User | None) -> None:
        self.review, self.rows = review, [row for row in rows if row.action != Action.CARRY]
        self.by = by
        spoken = {row.finding_id for row in self.rows if row.finding_id}
        self.silent = [row for row in rows if row.action == Action.CARRY and row.finding_id not in spoken]
        self.findings = locked(
            review.series, (row.finding_id for row in (*self.rows, *self._closing()) if row.finding_id)
        )
        self.tickets = self._tickets()
        self.numbers: Counter[str] = Counter()
        self.changes: list[Change[Finding]] = []
        # those to which a ticket, and all that it did, belongs from now on
        self.owned: list[Finding] = []

    def _closing(self) -> list[ImportRow]:
        return [row for row in self.silent if row.disposition in holding.CLOSING]

    def run(self) -> Applied:
        gone = [row for row in self.rows if row.action != Action.NEW and row.finding_id not in self.findings]
        if gone:
            raise Refused(
                f"A finding of row {gone[0].n} is not there any more. Read it again, then apply the new plan."
            )
        known = [row for row in self.rows if row.finding_id in self.findings]
        for row in known:
            self._change(row, self.findings[_finding_id(row)])
        settled = self._dispose()
        FINDING.move_all(self.changes)
        moved = [change.row.pk for change in self.changes if change.verb in FINDING.transitions]
        decisions.settle(moved, f"{self.review} was applied.")
        self._make([row for row in self.rows if row.finding_id not in self.findings])
        evidence.relate(self.owned, reason=f"{self.review} was applied.")
        self._keep_chosen()
        self._say(known)
        self._keep_outcomes([*known, *settled])
        count = self.numbers
        return Applied(
            count["new"],
            count["seen"],
            count["close"],
            count["reopen"] + count["regress"],
            len(self.silent) - count["disposed"],
            count["linked"],
            count["regress"],
            count["known"],
        )

    def _tickets(self) -> dict[str, int]:
        names = {row.ticket_key for row in self.rows if row.ticket_key}
        found = Ticket.objects.filter(project=self.review.series.project_id, key__in=names)
        return dict(found.values_list("key", "pk"))

    # What is known --------------------------------------------------------------

    def _change(self, row: ImportRow, finding: Finding) -> None:
        """What the row does to its finding as it is now: somebody may have answered it since the plan was made."""
        told = row.item.get("older") or row.item.get("merged")
        verb, fields = self._verb(row, finding), {} if told else changes(finding, row.item)
        ticket = None if finding.ticket_id else self.tickets.get(row.ticket_key)
        if ticket:
            fields["ticket_id"] = ticket
            self.numbers["linked"] += 1
        if ticket or (verb and finding.state == FindingState.WITHDRAWN and finding.ticket_id):
            self.owned.append(finding)
        if verb:
            fields["answer"] = _answer(row) if verb != "open_again" else ""
        self.numbers[row.action if verb or row.action == Action.KNOWN else Action.SEEN] += 1
        if verb or fields:
            kept = {name: getattr(finding, name) for name in fields}
            row.before |= {"state": finding.state, "version": finding.version, **kept}
            self.changes.append(Change(finding, verb or "restated", fields, _reason(self.review, row)))

    def _verb(self, row: ImportRow, finding: Finding) -> str:
        """The transition that the row asks for, where the finding still is what it was planned for."""
        target = claimed(row.item)
        if finding.state == FindingState.WITHDRAWN:
            return _RESTORING[target]
        if row.action == Action.CLOSE and finding.state == FindingState.OPEN:
            return _CLOSING[target]
        if finding.state in _OPENING.get(Action(row.action), ()):
            return "open_again"
        if row.action in (Action.CLOSE, *_OPENING):
            row.outcome_reason = f"It is {finding.state} already, so its state was left as it is."
        return ""

    # What is not spoken of --------------------------------------------------------

    def _dispose(self) -> list[ImportRow]:
        """What a person said became of findings of which the document says nothing."""
        settled = [row for row in self._closing() if row.finding_id in self.findings]
        going_on = self._going_on(settled)
        for row in settled:
            finding = self.findings[_finding_id(row)]
            if finding.state != FindingState.OPEN:
                row.outcome_reason = f"It is {finding.state} already, so its state was left as it is."
                continue
            self.numbers["close"] += 1
            self.numbers["disposed"] += 1
            row.before |= {"state": finding.state, "version": finding.version, "answer": finding.answer}
            if row.disposition == Disposition.REJECTED:
                self._reject(row, finding)
                continue
            fields: dict[str, Any] = {"answer": row.disposition_reason or f"Said so when {self.review} was imported."}
            if row.disposition == Disposition.MERGED:
                into = going_on[row.merge_into_id or 0]
                fields = {"answer": row.disposition_reason or f"Merged into {into}.", "merged_into_id": into.pk}
                row.before["merged_into_id"] = finding.merged_into_id
            verb = "merge" if row.disposition == Disposition.MERGED else "fix"
            self.changes.append(Change(finding, verb, fields, _reason(self.review, row)))
        return settled

    def _reject(self, row: ImportRow, finding: Finding) -> None:
        if self.by is None:
            raise Refused(f"Row {row.n} rejects a finding, and a rejection is a person's: say whose it is.")
        shown = str(row.item.get("evidence") or "")
        decisions.reject(finding, by=self.by, reason=row.disposition_reason, evidence=shown)

    def _going_on(self, rows: Iterable[ImportRow]) -> dict[int, Finding]:
        """What others are merged into, by its id: it has to go on itself."""
        merged = [row for row in rows if row.disposition == Disposition.MERGED]
        gone = {row.finding_id for row in merged}
        wanted = {row.merge_into_id for row in merged if row.merge_into_id}
        found = {one.pk: one for one in Finding.objects.filter(pk__in=wanted, state__in=dispositions.GOES_ON)}
        for row in merged:
            if row.merge_into_id not in found or row.merge_into_id in gone:
                raise Refused(
                    f"What row {row.n} is merged into is neither open nor fixed any more: say again what became of it."
                )
        return found

    # What is new ----------------------------------------------------------------

    def _make(self, rows: list[ImportRow]) -> None:
        work, scope = current(), f"project:{self.review.series.project_id}"
        blank = bulk.blanks(Finding)
        made = [blank(**self._finding(row)) for row in rows]
        bulk.insert(Finding, made)
        for row, finding in zip(rows, made, strict=True):
            row.finding_id = finding.pk
            self.findings[finding.pk] = finding
            self.numbers["new"] += 1
            if finding.ticket_id:
                self.numbers["linked"] += 1
                finding.series = self.review.series
                self.owned.append(finding)
            after = {"title": finding.title, "severity": finding.severity, "state": finding.state}
            work.record("finding.found", finding.subject, after=after, reason=_reason(self.review, row), scope=scope)
        if made:
            # One event a stream for all of them.
            made[-1].series = self.review.series
            FINDING.announce(made[-1])

    def _finding(self, row: ImportRow) -> dict[str, Any]:
        """Its columns, but for those that are as by default."""
        state = claimed(row.item)
        return {
            "series_id": self.review.series_id,
            "identity": row.identity,
            "state": state.value,
            "answer": _answer(row) if state != FindingState.OPEN else "",
            "ticket_id": self.tickets.get(row.ticket_key),
            "severity": Severity.NONE.value,
            **described(row.item),
        }

    # What is kept ---------------------------------------------------------------

    def _say(self, known: list[ImportRow]) -> None:
        """Occurrences and fingerprints; the row of a known finding remembers what was there and what was added."""
        here = Occurrence.objects.filter(review=self.review).values_list("finding_id", flat=True)
        said_before = set(here)
        said = [_occurrence(self.review, row) for row in self.rows if row.finding_id not in said_before]
        bulk.copy(Occurrence, _SAID, said)
        made = {_finding_id(row) for row in self.rows} - {_finding_id(row) for row in known}
        # Planning has looked, and nothing was applied to the series since.
        told = ("merged", "printed")
        own = {_finding_id(row): row.item for row in self.rows if not any(row.item.get(name) for name in told)}
        added = prints.write(own, new=made)
        for row in known:
            if row.finding_id in said_before:
                row.before["said"] = True
            if _finding_id(row) in added:
                row.before["prints"] = added[_finding_id(row)]

    def _keep_outcomes(self, known: list[ImportRow]) -> None:
        """One statement for rows that have something to remember, one for what is new, one for all others."""
        own = {row.pk: self._done(row) for row in known if row.before or row.outcome_reason}
        bulk.update(ImportRow, own, outcome=Outcome.APPLIED)
        there = {row.pk for row in known}
        new = {row.pk: {"finding_id": _finding_id(row)} for row in self.rows if row.pk not in there}
        bulk.update(ImportRow, new, finding_version=1, outcome=Outcome.APPLIED)
        rest = ImportRow.objects.filter(review=self.review, left_out=False, outcome=Outcome.PLANNED)
        version = Finding.objects.filter(pk=OuterRef("finding_id")).values("version")
        rest.exclude(action=Action.CARRY).update(finding_version=Subquery(version), outcome=Outcome.APPLIED)
        rest.filter(action=Action.CARRY).update(outcome=Outcome.APPLIED)

    def _done(self, row: ImportRow) -> dict[str, Any]:
        version = self.findings[_finding_id(row)].version
        return {"finding_version": version, "before": row.before, "outcome_reason": row.outcome_reason}

    def _keep_chosen(self) -> None:
        """A row that was chosen is what it became; before the others, which find their findings by it."""
        for chunk in bulk.chunks([row for row in self.rows if row.before.pop("resolved", False)]):
            names = ("action", "reason", "identity", "finding_id")
            fields = {row.pk: {name: getattr(row, name) for name in names} for row in chunk}
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
    return f"{BY_ITS_WORD} {row.item.get('status_reason') or ''}".strip()


def _occurrence(review: Review, row: ImportRow) -> tuple[Any, ...]:
    """Its columns, in the order of ``_SAID``."""
    item: dict[str, Any] = row.item
    return (
        _finding_id(row),
        review.pk,
        row.n,
        item["title"][:300],
        (item.get("ticket_key") or item.get("ref") or "")[:40],
        (item.get("severity_as_written") or "")[:60],
        (item.get("category") or "")[:100],
        item.get("files") or [],
        item.get("fields") or [],
        item.get("status") or "",
        (item.get("status_reason") or "")[:500],
        item.get("tier") or "",
        item.get("rank"),
        item["line_start"],
        item["line_end"],
        item.get("body") or "",
    )


def discard(review: Review, *, reason: str = "", expected_version: int | None = None) -> Review:
    """Put a plan aside; the document stays, and can be read again. Raises ``Refused``."""
    return REVIEW.move(review, "discard", reason=reason, expected_version=expected_version)
