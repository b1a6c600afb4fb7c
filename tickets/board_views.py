"""The board of tickets: parse, one call inward, render."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.core import limits
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from portal.core.lifecycle import Transition
from tickets import board as boards
from tickets import lists, views
from tickets.board import Column
from tickets.forms import TicketFilter
from tickets.list_views import CHIPS, Chip
from tickets.lists import Asked
from tickets.models import Ticket
from tickets.queries import Page


class Card(NamedTuple):
    """``moves``: what the reader may do to the ticket, each by a form on its page."""

    ticket: Ticket
    moves: list[Transition]


class Shown(NamedTuple):
    """A column as the page has it; ``untold``: how many of it have no card."""

    state: str
    number: int
    cards: list[Card]

    @property
    def untold(self) -> int:
        return self.number - len(self.cards)


@page("tickets.board", SIGNED_IN)
def board(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/board.html", _board(request))


@page("tickets.board_fragment", SIGNED_IN)
def board_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/board_body.html", _board(request))


def _board(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: Asked) -> Page:
        return Page(boards.columns(request.user, asked.wanted), None)

    form = TicketFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.OPERATOR, fragment="tickets_board_fragment")
    chips = [Chip(name, asked["kept"], url=reverse("tickets_board")) for name in CHIPS if name in asked["kept"]]
    return asked | {
        "columns": [_shown(column, request.user) for column in asked["rows"]],
        "chips": chips,
        "done_days": limits.value("BOARD_DONE_DAYS"),
    }


def _shown(column: Column, reader: Any) -> Shown:
    def moves(ticket: Ticket) -> list[Transition]:
        return [step for step in views.offered_for(ticket) if views.may_take(reader, step, ticket)]

    return Shown(column.state, column.number, [Card(ticket, moves(ticket)) for ticket in column.cards])
