"""What holds a plan until a person says something: rows to choose, findings not spoken of, too much closed at once."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from django.db.models import Count, QuerySet

from portal.core import limits
from portal.core.lifecycle import Refused
from reviews.models import Finding, FindingState, ImportRow, Review

Action, Disposition = ImportRow.Action, ImportRow.Disposition
# With these a finding is open no more.
CLOSING: Final = (Disposition.FIXED, Disposition.REJECTED, Disposition.MERGED)
# What can be said of all the rest at once: it closes nothing.
OF_THE_REST: Final = (Disposition.NOT_ASSESSED, Disposition.STILL)
ROWS_NAMED: Final = 5


class Holds(NamedTuple):
    """``unchosen`` and ``unsaid`` count rows; ``closing`` of the ``open`` findings of the series the plan closes."""

    unchosen: int
    unsaid: int
    closing: int
    open: int

    @property
    def share(self) -> int:
        """In percent, rounded down: what is over the limit is over it."""
        return 100 * self.closing // self.open if self.open else 0

    @property
    def guarded(self) -> bool:
        """Whether so much is closed that who applies it has to say that it is meant."""
        over = 100 * self.closing > limits.value("CLOSE_GUARD_PERCENT") * self.open
        return over and self.closing >= limits.value("CLOSE_GUARD_FINDINGS")


def of(review: Review) -> Holds:
    """Only what the plan has rows of is looked at closer."""
    rows = ImportRow.objects.filter(review=review, left_out=False)
    counted = Counter(dict(rows.values_list("action").annotate(number=Count("id"))))
    unchosen = unsaid = closing = 0
    if counted[Action.CLOSE]:
        closing = rows.filter(finding__state=FindingState.OPEN, action=Action.CLOSE).count()
    if counted[Action.CHOOSE]:
        choosing = rows.filter(action=Action.CHOOSE)
        unchosen = choosing.filter(chosen=None).count()
        ends = choosing.filter(item__status__in=["fixed", "rejected"])
        closing += Finding.objects.filter(pk__in=ends.values("chosen"), state=FindingState.OPEN).count()
    if counted[Action.CARRY]:
        words = Counter(dict(silent(review).values_list("disposition").annotate(number=Count("id"))))
        unsaid = words[Disposition.UNSAID]
        closing += sum(words[one] for one in CLOSING)
    still_open = Finding.objects.filter(series=review.series_id, state=FindingState.OPEN).count() if closing else 0
    return Holds(unchosen, unsaid, closing, still_open)


def silent(review: Review) -> QuerySet[ImportRow]:
    """Rows of findings that are open and of which the document does not speak, by no row that was chosen either."""
    rows = ImportRow.objects.filter(review=review)
    chosen = list(rows.filter(action=Action.CHOOSE, left_out=False, chosen__gt=0).values_list("chosen", flat=True))
    waiting = rows.filter(action=Action.CARRY, finding__state=FindingState.OPEN)
    return waiting.exclude(finding__in=chosen) if chosen else waiting


def refuse(review: Review, *, closing_meant: bool) -> None:
    """Raise ``Refused`` with what is missing, and the way out of it."""
    holds = of(review)
    if holds.unchosen:
        rows = ImportRow.objects.filter(review=review, action=Action.CHOOSE, left_out=False, chosen=None)
        numbers = list(rows.order_by("n").values_list("n", flat=True)[: ROWS_NAMED + 1])
        named = ", ".join(map(str, numbers[:ROWS_NAMED])) + (", …" if len(numbers) > ROWS_NAMED else "")
        raise Refused(
            f"{_rows(holds.unchosen)} may be more than one finding: choose which it is, or a new one (row {named})."
        )
    if holds.unsaid:
        is_not = "open finding is" if holds.unsaid == 1 else "open findings are"
        raise Refused(
            f"{holds.unsaid:,} {is_not} not spoken of in this document: say of each what became of it,"
            " or of all the rest at once that they are not assessed."
        )
    if holds.guarded and not closing_meant:
        raise Refused(
            f"This plan closes {holds.closing:,} of {holds.open:,} open findings of the series, {holds.share} %,"
            f" which is more than {limits.value('CLOSE_GUARD_PERCENT')} % (CLOSE_GUARD_PERCENT):"
            " say that it is meant, then apply it."
        )


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
