"""Questions among what needs a person: their words, their deadline, the overdue first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from portal.site import queries
from tests import factories
from tests.signing_in import SignIn
from tests.tickets import asking, build
from tickets import questions

if TYPE_CHECKING:
    from portal.site.queries import Need
    from tests.factories import World

pytestmark = pytest.mark.django_db


def waiting(world: World, title: str = "Questions waiting") -> list[Need]:
    return next((panel.needs for panel in queries.needs_of(world.viewer) if panel.title == title), [])


def test_the_overdue_are_first_then_the_next_deadline_then_the_oldest(world: World) -> None:
    asking.ask(world.mc, "Whenever?", seq=1)
    asking.ask(world.mc, {"question": "Tomorrow?", "deadline_minutes": 1440}, seq=2)
    asking.ask(world.mc, {"question": "Soon?", "deadline_minutes": 30}, seq=3)
    asking.overdue(asking.ask(world.mc, {"question": "Yesterday?", "deadline_minutes": 30}, seq=4))
    found = waiting(world)
    assert [need.title for need in found] == ["Yesterday?", "Soon?", "Tomorrow?", "Whenever?"]
    assert [need.look for need in found] == ["overdue", *["needs_person"] * 3]
    assert "overdue, was wanted by" in found[0].detail and "wanted by" in found[1].detail
    assert "wanted" not in found[3].detail and found[0].detail.startswith("MC · MC-")


def test_a_question_shows_its_words_cut_and_leads_to_its_form(world: World, sign_in: SignIn) -> None:
    question = asking.ask(asking.defaults_answer(world.mc), asking.WHOLE | {"question": "Why?\n" + "x" * 500})
    (need,) = waiting(world)
    assert need.title.startswith("Why? xxx") and len(need.title) == queries.QUESTION_CHARS
    assert need.url == f"{question.ticket.get_absolute_url()}#question" and need.action == "Answer"
    assert "claude-dev asks · its default answers at" in need.detail and need.since == question.asked_at
    page = sign_in(world.viewer).get("/").content.decode()
    assert re.search(rf'href="{need.url}">Answer', page)


def test_nothing_is_asked_of_strangers_and_nothing_that_was_answered(world: World) -> None:
    theirs = asking.ask(factories.project("XX", "Another"))
    assert waiting(world) == []
    mine = asking.ask(world.mc)
    assert len(waiting(world)) == 1
    questions.answer(mine, by=world.operator, choice=0, text="")
    assert waiting(world) == [] and theirs.state == "open"


def test_a_ticket_that_needs_a_person_without_a_question_is_listed_too(world: World) -> None:
    asking.ask(world.mc)
    bare = build.ticket(world.mc, "needs_person")
    assert [need.title for need in waiting(world, "Tickets that need a person")] == [bare.title]
    assert len(waiting(world)) == 1


def test_many_are_cut_and_said_to_be(world: World) -> None:
    for n in range(queries.PANEL_ROWS + 1):
        asking.ask(world.mc, f"Question {n}?", seq=n + 1)
    panel = next(panel for panel in queries.needs_of(world.viewer) if panel.title == "Questions waiting")
    assert panel.cut and len(panel.needs) == queries.PANEL_ROWS
