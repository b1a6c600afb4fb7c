"""The board of tickets: which column, which cards, what can be done from one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import clock
from tests import factories
from tests.signing_in import Counted, SignIn
from tests.tickets import build
from tickets import board
from tickets.models import Ticket, TicketState

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages


def titles(answer: Any) -> dict[str, list[str]]:
    return {column.state: [card.ticket.title for card in column.cards] for column in answer.context["columns"]}


def test_each_state_has_one_column() -> None:
    assert sorted(state for states in board.COLUMNS for state in states) == sorted(TicketState.values)


def test_cards_stand_by_what_is_to_be_done_and_the_last_changed_first(world: World, sign_in: SignIn) -> None:
    for state in ("open", "running", "merging", "needs_person", "in_review", "unproven", "blocked", "done"):
        build.ticket(world.mc, state, title=state)
    assert titles(sign_in(world.viewer).get("/tickets/board/")) == {
        "open": ["blocked", "open"],
        "running": ["merging", "running"],
        "needs_person": ["needs_person"],
        "in_review": ["unproven", "in_review"],
        "done": ["done"],
    }


def test_a_board_shows_what_its_filter_lets_through_and_nothing_of_other_projects(
    world: World, sign_in: SignIn
) -> None:
    build.ticket(world.mc, title="Pump leaks")
    build.ticket(world.mc, title="Lamp")
    build.ticket(factories.project("LAN", "Lantern"), title="Pump of others")
    browser = sign_in(world.viewer)
    assert titles(browser.get("/tickets/board/?q=pump"))["open"] == ["Pump leaks"]
    assert "Remove filter" not in browser.get("/tickets/board/?q=pump").content.decode()
    assert "Remove filter who:nobody" in browser.get("/tickets/board/?who=nobody").content.decode()


def test_a_full_column_says_how_many_more_there_are(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"BOARD_COLUMN_ROWS": 5}
    for _ in range(7):
        build.ticket(world.mc)
    answer = sign_in(world.viewer).get("/tickets/board/")
    opened = answer.context["columns"][0]
    assert (len(opened.cards), opened.number, opened.untold) == (5, 7, 2)
    assert "2 more, in the" in answer.content.decode()


def test_what_was_done_long_ago_is_not_on_the_board(world: World, sign_in: SignIn) -> None:
    old, new = (build.ticket(world.mc, "done", title=title) for title in ("old", "new"))
    Ticket.objects.filter(pk=old.pk).update(updated_at=clock.now() - timedelta(days=15))
    answer = sign_in(world.viewer).get("/tickets/board/")
    assert titles(answer)["done"] == [new.title]
    assert "Of the last 14 days" in answer.content.decode()


def test_a_card_offers_what_its_reader_may_do_to_it_now(world: World, sign_in: SignIn) -> None:
    reviewed = build.ticket(world.mc, "in_review")
    accept = f'href="/tickets/{reviewed.key}/#accept-form"'
    assert accept in sign_in(world.reviewer).get("/tickets/board/").content.decode()
    assert 'id="accept-form"' in sign_in(world.reviewer).get(f"/tickets/{reviewed.key}/").content.decode()
    operators = sign_in(world.operator).get("/tickets/board/").content.decode()
    assert accept not in operators
    assert f'href="/tickets/{reviewed.key}/#assign-form"' in operators
    assert "<details" not in sign_in(world.viewer).get("/tickets/board/").content.decode()


def test_a_board_of_many_takes_as_few_statements_as_one_of_few(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.viewer)
    build.ticket(world.mc)
    few = counted(browser, "/tickets/board/")
    for state in TicketState.values:
        for _ in range(4):
            build.ticket(world.mc, state)
    assert counted(browser, "/tickets/board/") == few
