"""The board: the tickets that a filter lets through, in columns by what is to be done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from portal.core.clock import Wall
from portal.core.limits import value as limit
from tickets import queries
from tickets.models import Ticket, TicketState

_T = TicketState
_DAY_SECONDS: Final = 86_400
# Each is named by its first state; a card in another of its states says which.
COLUMNS: Final = (
    (_T.OPEN, _T.QUEUED, _T.BLOCKED, _T.FAILED),
    (_T.RUNNING, _T.MERGING),
    (_T.NEEDS_PERSON,),
    (_T.IN_REVIEW, _T.UNPROVEN),
    (_T.DONE,),
)


@dataclass(slots=True)
class Column:
    """``number`` tickets are in it; ``cards`` are those that changed last."""

    state: str
    number: int = 0
    cards: list[Ticket] = field(default_factory=list)


class _Place(NamedTuple):
    column: int
    whole: int
    rank: int


def columns(reader: Any, wanted: dict[str, str]) -> list[Column]:
    """All columns, empty ones too, in two statements. Of what is done, the last ``BOARD_DONE_DAYS``."""
    places = _places(queries.matching(reader, wanted))
    found = [Column(str(states[0])) for states in COLUMNS]
    shown = queries.matching(reader, {}).in_bulk(list(places))
    for pk, place in sorted(places.items(), key=lambda item: item[1].rank):
        column = found[place.column]
        column.number = place.whole
        # One that is gone since, or that the reader may not see any more, leaves no gap.
        if pk in shown:
            column.cards.append(shown[pk])
    return found


def _places(rows: QuerySet[Ticket]) -> dict[int, _Place]:
    """Of each column the first, by key: told apart without the columns that only a card shows."""
    which = [When(state__in=states, then=Value(n)) for n, states in enumerate(COLUMNS)]
    rows = rows.exclude(Q(state=_T.DONE) & Q(updated_at__lt=Wall(-limit("BOARD_DONE_DAYS") * _DAY_SECONDS)))
    rows = rows.annotate(column=Case(*which, output_field=IntegerField())).annotate(
        whole=Window(Count("pk"), partition_by=F("column")),
        rank=Window(RowNumber(), partition_by=F("column"), order_by=[F("updated_at").desc(), F("pk").desc()]),
    )
    first = rows.filter(rank__lte=limit("BOARD_COLUMN_ROWS")).values_list("pk", "column", "whole", "rank")
    return {pk: _Place(column, whole, rank) for pk, column, whole, rank in first.order_by()}
