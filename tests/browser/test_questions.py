"""A question in a real browser: it appears by itself, what one types in it stays, and it is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.test_conversation import following, opened
from tests.browser.test_look import in_every_look, looked_at

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.engines.stack import Stack
    from tests.factories import World

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.once]


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    from tests import factories

    found = factories.world()
    stack.web()
    return found


@pytest.mark.timeout(240)
def test_a_question_appears_by_itself_and_what_one_types_in_it_stays(
    stack: Stack, browser: Browser, world: World
) -> None:
    from portal.core.clock import now
    from tests.tickets import asking, build
    from tickets import conversation, questions
    from tickets.models import Message, Question, Ticket

    asking.defaults_answer(world.mc)
    build.repository(world.mc)
    ticket = build.talk(build.ticket(world.mc), world.operator, world.reviewer)
    with opened(stack, browser, world) as context:
        page = context.new_page()
        following(page, ticket)
        third = ticket.turns.get(seq=3)
        conversation.acknowledge(third)
        ticket.turns.filter(pk=third.pk).update(state="needs_input", exit_code=0, ended_at=now())
        Ticket.objects.filter(pk=ticket.pk).update(state="needs_person")
        question = questions.ask(third, asking.WHOLE)
        page.get_by_role("heading", name="claude-dev asks").wait_for(timeout=20_000)
        in_every_look(page, "ticket-question")
        page.get_by_role("radio", name="Replay the last 72 hours").check()
        box = page.get_by_label("Note to the agent")
        box.fill("Half a thought")
        # What moves the page meanwhile takes nothing away from who writes.
        conversation.post(ticket, author=world.reviewer, body="Look at this first")
        page.locator("[data-live-waiting]").first.wait_for(state="attached", timeout=20_000)
        assert box.input_value() == "Half a thought"
        assert page.get_by_role("radio", name="Replay the last 72 hours").is_checked()
        page.get_by_role("button", name="Answer", exact=True).click()
        page.locator("#question-3").get_by_text("Replay the last 72 hours").first.wait_for()
        page.locator("#question").wait_for(state="detached")
        in_every_look(page, "ticket-answered")
    question = Question.objects.get(pk=question.pk)
    assert question.answer == "Replay the last 72 hours\n\nHalf a thought"
    assert Message.objects.filter(ticket=ticket, author=world.admin).count() == 1


def test_who_comes_second_keeps_what_they_typed(stack: Stack, browser: Browser, world: World) -> None:
    from tests.tickets import asking
    from tickets import questions

    question = asking.ask(world.mc)
    with opened(stack, browser, world) as context:
        page = context.new_page()
        page.goto(f"{question.ticket.get_absolute_url()}#question")
        page.get_by_label("Note to the agent").fill("Only ours, please")
        questions.answer(question, by=world.reviewer, choice=2, text="")
        page.get_by_role("button", name="Answer", exact=True).click()
        page.get_by_role("alert").get_by_text("answered already, by Reviewer").wait_for()
        assert page.get_by_label("Note to the agent").input_value() == "Only ours, please"
        looked_at(page, "ticket-question-second")


def test_a_question_needs_no_script_and_stands_among_what_needs_me(
    stack: Stack, browser: Browser, world: World
) -> None:
    from tests.tickets import asking
    from tickets.models import Question

    late = asking.overdue(asking.ask(world.mc, asking.WHOLE | {"default": None}))
    with opened(stack, browser, world) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_text("overdue, was wanted by").first.wait_for()
        looked_at(page, "needs-me-questions")
    with opened(stack, browser, world, scripts=False) as context:
        page = context.new_page()
        page.goto(late.ticket.get_absolute_url())
        page.get_by_label("Something else").check()
        page.get_by_label("Note to the agent").fill("Ask the tenants")
        page.get_by_role("button", name="Answer", exact=True).click()
        page.get_by_text("answered turn 3: Ask the tenants").wait_for()
    assert Question.objects.get(pk=late.pk).choice is None


@pytest.mark.timeout(240)
def test_a_question_in_the_admin_looks_right(stack: Stack, browser: Browser, world: World) -> None:
    from tests.tickets import asking

    question = asking.ask(world.mc)
    with opened(stack, browser, world) as context:
        page = context.new_page()
        page.goto(f"/admin/tickets/question/{question.pk}/change/")
        in_every_look(page, "admin-question")
        page.goto(f"/admin/tickets/question/{question.pk}/do/answer/")
        looked_at(page, "admin-question-answer")
