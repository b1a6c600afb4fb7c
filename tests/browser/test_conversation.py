"""A conversation in a real browser goes on while somebody writes, and what they write is neither lost nor doubled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import looked_at, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.engines.stack import Stack
    from tests.factories import World
    from tickets.models import Ticket

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.once]


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    from tests import factories

    found = factories.world()
    stack.web()
    return found


@pytest.fixture
def ticket(world: World) -> Ticket:
    from tests.tickets import build

    return build.ticket(world.mc)


def opened(stack: Stack, browser: Browser, world: World, *, scripts: bool = True) -> BrowserContext:
    context = browser.new_context(base_url=stack.base_url, java_script_enabled=scripts)
    context.add_cookies([{"name": "shiproom", "value": session_of(world), "url": stack.base_url}])
    return context


def following(page: Page, ticket: Ticket) -> None:
    page.goto(ticket.get_absolute_url())
    page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=30_000)


def test_what_others_say_appears_while_one_writes_and_what_one_writes_stays(
    stack: Stack, browser: Browser, world: World, ticket: Ticket
) -> None:
    from tickets import conversation

    with opened(stack, browser, world) as context:
        page = context.new_page()
        following(page, ticket)
        box = page.get_by_label("Message", exact=True)
        box.fill("Half a thought")
        conversation.post(ticket, author=world.reviewer, body="Look at **this** first")
        page.locator("#m1").get_by_text("this").wait_for(timeout=20_000)
        assert box.input_value() == "Half a thought"
        assert page.evaluate("document.activeElement.id") == "message-body"
        box.press("Control+Enter")
        page.wait_for_url("**/#m2")
        page.locator("#m2").get_by_text("Half a thought").wait_for()
        page.locator("#m2").get_by_text("Waits for the next turn").wait_for()
        assert box.input_value() == "", "what was sent is no draft any more"
        page.locator("#m2").get_by_role("button", name="Withdraw").click()
        page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
        page.locator("#m2").get_by_text("Withdrawn", exact=True).wait_for()


def test_a_draft_outlives_a_reload_and_a_refusal_and_is_not_sent_twice(
    stack: Stack, browser: Browser, world: World, ticket: Ticket
) -> None:
    from tickets.models import Message, Ticket

    with opened(stack, browser, world) as context:
        page = context.new_page()
        following(page, ticket)
        box = page.get_by_label("Message", exact=True)
        box.fill("Long words")
        page.reload()
        assert box.input_value() == "Long words"
        Ticket.objects.filter(pk=ticket.pk).update(state="done")
        page.get_by_role("button", name="Send").click()
        page.get_by_role("alert").get_by_text("Reopen it").wait_for()
        assert box.input_value() == "Long words"
        looked_at(page, "ticket-refused")
        assert not Message.objects.filter(ticket=ticket).exists()
        Ticket.objects.filter(pk=ticket.pk).update(state="open")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/#m1")
        assert box.input_value() == "", "the draft of the refused form went with it"
        assert Message.objects.filter(ticket=ticket).count() == 1


def test_an_old_form_shows_both_texts_side_by_side(
    stack: Stack, browser: Browser, world: World, ticket: Ticket
) -> None:
    from tickets import work

    with opened(stack, browser, world) as context:
        page = context.new_page()
        page.goto(f"{ticket.get_absolute_url()}edit/")
        page.get_by_label("What to do").fill("Mine, and long.\n\n- one\n- two")
        work.edit(ticket, title="Theirs", body="Theirs, meanwhile.\n\n- three", expected_version=ticket.version)
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name="What is there now").wait_for()
        page.get_by_text("Theirs, meanwhile.").wait_for()
        assert page.get_by_label("What to do").input_value() == "Mine, and long.\n\n- one\n- two"
        looked_at(page, "ticket-edit-conflict")
        page.get_by_role("button", name="Save mine in its place").click()
        page.wait_for_url(f"**{ticket.get_absolute_url()}")
        page.get_by_text("Mine, and long.").wait_for()


def test_a_message_needs_no_script(stack: Stack, browser: Browser, world: World, ticket: Ticket) -> None:
    with opened(stack, browser, world, scripts=False) as context:
        page = context.new_page()
        page.goto(ticket.get_absolute_url())
        page.get_by_label("Message", exact=True).fill("By hand")
        page.get_by_label("Internal note").check()
        page.get_by_role("button", name="Send").click()
        assert re.search(r"#m1$", page.url)
        assert "no agent is given it" in page.locator("#m1").inner_text()
