"""What a person says of rows of a plan: what became of a finding that is not spoken of, and which one an item is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from portal.core.lifecycle import Change, Gone, Refused, Stale
from portal.core.storable import is_storable
from portal.core.unit import unit_of_work
from portal.core.unseen import is_unseen
from reviews import decisions, holding
from reviews.models import Finding, FindingState, ImportRow, Review, ReviewState
from reviews.transitions import REVIEW

Action, Disposition = ImportRow.Action, ImportRow.Disposition
REASON_CHARS: Final = 300
A_NEW_ONE: Final = 0
# What another one may be merged into.
GOES_ON: Final = (FindingState.OPEN, FindingState.FIXED)


def leave_out(row: ImportRow, left_out: bool, *, expected_version: int | None = None) -> ImportRow:
    """Take a row out of the plan, or in again; ``row.review`` is the review as it is then.

    ``expected_version`` is the review's. Raises ``Refused``.
    """

    def change() -> bool:
        if row.action == Action.CARRY:
            raise Refused("The document does not speak of this finding, so there is nothing to leave out.")
        if not left_out and row.chosen:
            _refuse_taken(row, row.chosen)
        rows = ImportRow.objects.filter(pk=row.pk).exclude(left_out=left_out)
        return bool(rows.update(left_out=left_out))

    said = row.item.get("title") or row.identity
    return _decide(row, change, "row_left_out" if left_out else "row_taken_in", said, expected_version)


def dispose(
    row: ImportRow,
    disposition: str,
    *,
    reason: str = "",
    evidence: str = "",
    merge_into: int | None = None,
    expected_version: int | None = None,
) -> ImportRow:
    """Say what became of an open finding that is not spoken of. Nothing of it happens before the plan is applied.

    Fixed and merged may say why; rejected must, and show it. Raises ``Refused``.
    """

    def change() -> bool:
        if row.action != Action.CARRY:
            raise Refused("The document speaks of this finding: what it says counts, or the row is left out.")
        if disposition not in Disposition.values or disposition == Disposition.UNSAID:
            raise Refused(f"A disposition is one of: {', '.join(filter(None, Disposition.values))}.")
        said = _words(reason)
        if disposition == Disposition.REJECTED:
            if is_unseen(said):
                raise Refused("Say why it is rejected: the reason is what the next reader has.")
            if problem := decisions.problem_of_evidence(evidence):
                raise Refused(problem)
        into = _goes_on(row, merge_into) if disposition == Disposition.MERGED else None
        item = {"evidence": _storable(evidence)} if disposition == Disposition.REJECTED else {}
        fields: dict[str, Any] = {"disposition": disposition, "disposition_reason": said, "merge_into": into}
        ImportRow.objects.filter(pk=row.pk).update(item=item, **fields)
        return True

    label = dict(Disposition.choices).get(disposition, "")
    row = _decide(row, change, "row_disposed", f"{label}. {reason}".strip(), expected_version)
    row.refresh_from_db(fields=["item", "disposition", "disposition_reason", "merge_into"])
    return row


def dispose_rest(review: Review, disposition: str, *, expected_version: int | None = None) -> int:
    """Say the same of every finding of which nothing is said yet; returns of how many. Raises ``Refused``."""
    if disposition not in holding.OF_THE_REST:
        raise Refused(f"All the rest at once is one of: {', '.join(holding.OF_THE_REST)}.")
    with unit_of_work():
        held = _planned(review.pk, expected_version)
        waiting = holding.silent(held).filter(disposition=Disposition.UNSAID)
        number = ImportRow.objects.filter(pk__in=list(waiting.values_list("pk", flat=True))).update(
            disposition=disposition
        )
        if number:
            label = dict(Disposition.choices)[disposition].lower()
            REVIEW.move_all([Change(held, "rest_disposed", reason=f"{number:,} findings: {label}.")])
    review.version = held.version
    return number


def choose(row: ImportRow, chosen: int, *, expected_version: int | None = None) -> ImportRow:
    """Say which finding the item of a row is, by its id; ``A_NEW_ONE`` is none of them. Raises ``Refused``."""

    def change() -> bool:
        if row.action != Action.CHOOSE:
            raise Refused("There is nothing to choose in this row: it is plain which finding it is.")
        if chosen != A_NEW_ONE and chosen not in row.candidates:
            raise Refused("That finding is not among those that this row may be.")
        if chosen != A_NEW_ONE:
            _refuse_taken(row, chosen)
        return bool(ImportRow.objects.filter(pk=row.pk).update(chosen=chosen))

    said = "A new one" if chosen == A_NEW_ONE else f"Finding {chosen}"
    row = _decide(row, change, "row_chosen", said, expected_version)
    row.chosen = chosen
    return row


def _refuse_taken(row: ImportRow, chosen: int) -> None:
    others = ImportRow.objects.filter(review=row.review_id, left_out=False).exclude(pk=row.pk)
    other = others.filter(chosen=chosen).first()
    other = other or others.filter(finding=chosen).exclude(action__in=[Action.CARRY, Action.CHOOSE]).first()
    if other is not None:
        raise Refused(f"Row {other.n} is that finding already: two items of a document are two findings.")


def _goes_on(row: ImportRow, into: int | None) -> Finding:
    """The finding that another is merged into. Raises ``Refused``."""
    if into is None:
        raise Refused("Say into which finding of the series it is merged.")
    found = Finding.objects.filter(pk=into, series=row.review.series_id).first() if into < 2**63 else None
    if found is None or found.state == FindingState.WITHDRAWN:
        raise Refused("A finding is merged into another of the same series.")
    if found.pk == row.finding_id:
        raise Refused("A finding cannot be merged into itself.")
    if found.state not in GOES_ON:
        raise Refused(f"{found} is {found.state}: a finding is merged into one that is open or fixed.")
    same = ImportRow.objects.filter(review=row.review_id, disposition=Disposition.MERGED)
    if same.filter(finding=found).exists():
        raise Refused(f"{found} is merged into another one itself, by this plan: merge both into that one.")
    if same.filter(merge_into=row.finding_id).exists():
        raise Refused("Another one is merged into this finding, by this plan: merge both into the same one.")
    return found


def _decide(
    row: ImportRow, change: Callable[[], bool], verb: str, said: str, expected_version: int | None
) -> ImportRow:
    """The lock of the review orders this and applying: a row is decided before, or not at all."""
    with unit_of_work():
        review = _planned(row.review_id, expected_version)
        row.review = review
        if change():
            # The review's version rises: who decides on the plan as it was before is told so.
            REVIEW.move_all([Change(review, verb, reason=f"Row {row.n}: {said}"[:500])])
    row.refresh_from_db(fields=["left_out"])
    return row


def _planned(pk: int, expected_version: int | None) -> Review:
    rows = Review.objects.select_for_update(of=("self",)).select_related("series").defer("content", "read_text")
    review = rows.filter(pk=pk).first()
    if review is None:
        raise Gone("The review of this row is not there any more.")
    if expected_version is not None and review.version != expected_version:
        raise Stale(review.subject, expected_version, review.version)
    if review.state != ReviewState.PLANNED:
        raise Refused(f"{review} is {review.state}: only the rows of a plan can be decided on.")
    return review


def _words(reason: str) -> str:
    said = _storable(reason)
    if len(said) > REASON_CHARS:
        raise Refused(f"A reason of a row has at most {REASON_CHARS} characters (you sent {len(said)}).")
    return said


def _storable(text: str) -> str:
    if not is_storable(text):
        raise Refused("The words hold a NUL or half a character (a lone surrogate), which no database keeps.")
    return text.strip()
