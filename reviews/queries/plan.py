"""The plan of an import as its page shows it: counts by action, and a page of rows."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Count

from reviews.models import ImportRow, Review, Severity

ROWS_SHOWN: Final = 100
LEFT_OUT: Final = "left_out"
_A = ImportRow.Action


class Kind(NamedTuple):
    """One thing that a plan does: its word, what it means, and how it looks."""

    word: str
    meaning: str
    tone: str
    icon: str


KINDS: Final[dict[str, Kind]] = {
    _A.NEW: Kind("Create", "new findings", "run", "plus"),
    _A.SEEN: Kind("Match", "known, seen again", "", "link"),
    _A.CARRY: Kind("Carry", "not spoken of, stay open", "", "retry"),
    _A.CLOSE: Kind("Close", "stated as fixed or rejected", "warn", "claimed"),
    _A.REOPEN: Kind("Open again", "were closed, are back", "bad", "undo"),
}


class Tab(NamedTuple):
    """The rows of one action; those left out are counted apart, since they are not applied."""

    value: str
    kind: Kind
    number: int


class Row(NamedTuple):
    row: ImportRow
    kind: Kind
    title: str
    severity: str
    line_start: int | None
    line_end: int | None
    # "fixed" and the like, where the document says so
    status: str


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

    @property
    def changes(self) -> list[Tab]:
        return [tab for tab in self.tabs if tab.number and tab.value != _A.CARRY]

    @property
    def shown(self) -> int:
        return len(self.rows)


def plan(review: Review, show: str = "", after: int = 0) -> Plan:
    """The rows of one tab (an action, those left out, or all) that come after row ``after``."""
    every = ImportRow.objects.filter(review=review)
    counted = list(every.values_list("action", "left_out").annotate(number=Count("id")))
    tabs = [
        Tab(action, kind, sum(number for name, out, number in counted if name == action and not out))
        for action, kind in KINDS.items()
    ]
    left_out = sum(number for _, out, number in counted if out)
    show = show if show in KINDS or (show == LEFT_OUT and left_out) else ""
    rows = every.select_related("finding__ticket")
    if show:
        rows = rows.filter(left_out=True) if show == LEFT_OUT else rows.filter(action=show, left_out=False)
    found = list(rows.filter(n__gt=after).order_by("n")[: ROWS_SHOWN + 1])
    more = rows.filter(n__gt=found[ROWS_SHOWN - 1].n).count() if len(found) > ROWS_SHOWN else 0
    return Plan(
        tabs,
        left_out,
        sum(number for _, _, number in counted),
        show,
        [_row(row) for row in found[:ROWS_SHOWN]],
        found[ROWS_SHOWN - 1].n if more else None,
        more,
        every.filter(left_out=False).exclude(ticket_key="").exists(),
    )


def _row(row: ImportRow) -> Row:
    """What the row is about is in the item that was read; a finding that was not spoken of has none."""
    item: dict[str, Any] = row.item or {}
    title, severity = item.get("title") or "", item.get("severity")
    if not title and row.finding:
        title, severity = row.finding.title, row.finding.severity
    status = item.get("status") or ""
    return Row(
        row,
        KINDS[row.action],
        title,
        severity or Severity.NONE,
        item.get("line_start"),
        item.get("line_end"),
        "" if status == "open" else status,
    )


def row_of(review: Review, number: int) -> ImportRow | None:
    return ImportRow.objects.filter(review=review, pk=number).first() if number < 2**63 else None
