"""The plan of an import as its page shows it: counts by action, and a page of rows."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Count

from reviews import dispositions, holding
from reviews.deciding import SHARED
from reviews.models import Finding, FindingState, Fingerprint, ImportRow, Review, Severity

ROWS_SHOWN: Final = 100
PRINTS_SHOWN: Final = 20
MERGES_OFFERED: Final = 200
LEFT_OUT: Final = "left_out"
_A = ImportRow.Action


class Kind(NamedTuple):
    """One thing that a plan does: its word, what it means, and how it looks."""

    word: str
    meaning: str
    tone: str
    icon: str


KINDS: Final[dict[str, Kind]] = {
    _A.CHOOSE: Kind("Choose", "may be several", "wait", "ask"),
    _A.NEW: Kind("Create", "new findings", "run", "plus"),
    _A.SEEN: Kind("Match", "known, seen again", "", "link"),
    _A.CARRY: Kind("Carry", "not spoken of, stay open", "", "retry"),
    _A.CLOSE: Kind("Close", "stated as fixed or rejected", "warn", "claimed"),
    _A.REGRESS: Kind("Back again", "were fixed, are back", "bad", "undo"),
    _A.REOPEN: Kind("Open again", "were rejected, are back", "bad", "undo"),
    _A.KNOWN: Kind("Rejected", "stay rejected", "", "x"),
}


class Tab(NamedTuple):
    """The rows of one action; those left out are counted apart, since they are not applied."""

    value: str
    kind: Kind
    number: int


class Candidate(NamedTuple):
    """A finding that a row may be, with why."""

    finding: Finding
    why: str


class Row(NamedTuple):
    row: ImportRow
    kind: Kind
    title: str
    severity: str
    line_start: int | None
    line_end: int | None
    # "fixed" and the like, where the document says so
    status: str
    # of a row to choose
    candidates: list[Candidate]
    # how its finding is known again: each algorithm, its version, and the value
    prints: list[Fingerprint]
    more_prints: int
    # a decision about it that was tried and refused, with what was typed
    tried: Any

    @property
    def waits(self) -> bool:
        """Whether a person has to say something of it."""
        row = self.row
        if row.left_out:
            return False
        return row.action == _A.CHOOSE and row.chosen is None or self.silent and not row.disposition

    @property
    def silent(self) -> bool:
        finding = self.row.finding
        return bool(self.row.action == _A.CARRY and finding and finding.state == FindingState.OPEN)

    @property
    def chosen(self) -> Finding | None:
        return next((one.finding for one in self.candidates if one.finding.pk == self.row.chosen), None)


class Plan(NamedTuple):
    tabs: list[Tab]
    left_out: int
    total: int
    show: str
    rows: list[Row]
    # where the next page begins, and how many rows of this tab are behind it
    next: int | None
    more: int
    has_keys: bool
    holds: holding.Holds
    # what another finding may be merged into; more: whether there are others, which the API names
    going_on: list[Finding]
    more_going_on: bool

    @property
    def changes(self) -> list[Tab]:
        return [tab for tab in self.tabs if tab.number and tab.value != _A.CARRY]

    @property
    def shown(self) -> int:
        return len(self.rows)


def plan(review: Review, show: str = "", after: int = 0, tried: Any = None, about: int = 0) -> Plan:
    """The rows of one tab (an action, those left out, or all) that come after row ``after``.

    ``tried`` is a refused form about the row ``about``.
    """
    every = ImportRow.objects.filter(review=review)
    counted = list(every.values_list("action", "left_out").annotate(number=Count("id")))
    tabs = [
        Tab(action, kind, sum(number for name, out, number in counted if name == action and not out))
        for action, kind in KINDS.items()
    ]
    left_out = sum(number for _, out, number in counted if out)
    show = show if show in KINDS or (show == LEFT_OUT and left_out) else ""
    rows = every.select_related("finding__ticket", "merge_into")
    if show:
        rows = rows.filter(left_out=True) if show == LEFT_OUT else rows.filter(action=show, left_out=False)
    found = list(rows.filter(n__gt=after).order_by("n")[: ROWS_SHOWN + 1])
    more = rows.filter(n__gt=found[ROWS_SHOWN - 1].n).count() if len(found) > ROWS_SHOWN else 0
    shown = found[:ROWS_SHOWN]
    going_on = _going_on(review) if any(row.action == _A.CARRY for row in shown) else []
    return Plan(
        tabs,
        left_out,
        sum(number for _, _, number in counted),
        show,
        _rows(shown, tried, about),
        found[ROWS_SHOWN - 1].n if more else None,
        more,
        every.filter(left_out=False).exclude(ticket_key="").exists(),
        holding.of(review),
        going_on[:MERGES_OFFERED],
        len(going_on) > MERGES_OFFERED,
    )


def _going_on(review: Review) -> list[Finding]:
    rows = Finding.objects.filter(series=review.series_id, state__in=dispositions.GOES_ON)
    return list(rows.order_by("pk")[: MERGES_OFFERED + 1])


def _rows(rows: list[ImportRow], tried: Any, about: int) -> list[Row]:
    """Two queries for all of them: what they may be, and how their findings are known again."""
    wanted = {pk for row in rows if row.action == _A.CHOOSE for pk in row.candidates}
    findings = {one.pk: one for one in Finding.objects.filter(pk__in=wanted)}
    ids = {row.finding_id for row in rows if row.finding_id}
    prints: dict[int, list[Fingerprint]] = {}
    for one in Fingerprint.objects.filter(finding__in=ids).order_by("pk"):
        prints.setdefault(one.finding_id, []).append(one)
    return [
        _row(row, findings, prints.get(row.finding_id or 0, []), tried if row.pk == about else None) for row in rows
    ]


def _row(row: ImportRow, findings: dict[int, Finding], prints: list[Fingerprint], tried: Any) -> Row:
    """What the row is about is in the item that was read; a finding that was not spoken of has none."""
    item: dict[str, Any] = row.item or {}
    title, severity = item.get("title") or "", item.get("severity")
    if not title and row.finding:
        title, severity = row.finding.title, row.finding.severity
    status = item.get("status") or ""
    may_be = [Candidate(findings[pk], _why(row, findings[pk])) for pk in row.candidates if pk in findings]
    return Row(
        row,
        KINDS[row.action],
        title,
        severity or Severity.NONE,
        item.get("line_start"),
        item.get("line_end"),
        "" if status == "open" else status,
        may_be,
        prints[:PRINTS_SHOWN],
        max(0, len(prints) - PRINTS_SHOWN),
        tried,
    )


def _why(row: ImportRow, finding: Finding) -> str:
    """What the two have in common, and what shows where the other one is."""
    said = [SHARED.get(row.item.get("how") or "", "alike")]
    said.append("the same places" if (row.item.get("files") or []) == finding.files else "other places")
    if finding.files:
        said.append(f"it was at {finding.files[0][:100]}")
    return ", ".join(said)


def not_assessed(review: Review) -> int:
    """Of an applied review, the open findings of which nobody said anything but that."""
    rows = ImportRow.objects.filter(review=review, action=_A.CARRY, outcome=ImportRow.Outcome.APPLIED)
    return rows.filter(disposition=ImportRow.Disposition.NOT_ASSESSED).count()


def row_of(review: Review, number: int) -> ImportRow | None:
    return ImportRow.objects.filter(review=review, pk=number).first() if number < 2**63 else None
