"""The bell counts before its reader's eyes; lines are opened and read; the history is looked at in every look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_look import Site, in_every_look, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.engines.stack import Stack
    from tests.factories import World
    from tickets.models import Ticket

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]
MARK = "not loaded again"


@pytest.fixture(scope="module")
def site(stack: Stack, browser: Browser) -> Site:
    from tests import factories
    from tests.tickets import build

    world = factories.world()
    build.agent("claude-dev")
    stack.web()
    found = Site(stack, browser, world)
    found.cookies = [{"name": "shiproom", "value": session_of(world), "url": stack.base_url}]
    return found


def written(world: World, title: str, words: str) -> Ticket:
    """A ticket that the admin wrote on, and then the operator."""
    from portal.core import cause
    from portal.core.cause import Actor
    from tickets import conversation, work

    with cause.acting(Actor("user", str(world.admin.pk), "Admin")):
        ticket = work.create_ticket(world.mc, title=title, reason="Found in the review of the delivery path.")
    with cause.acting(Actor("user", str(world.operator.pk), "Operator")):
        conversation.post(ticket, author=world.operator, body=words)
    return ticket


def test_the_bell_counts_without_a_reload_and_a_line_is_read_by_opening_it(site: Site) -> None:
    with site.page("/status/") as page:
        page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=30_000)
        page.evaluate(f"window.mark = '{MARK}'")
        bell = page.locator("#bell a")
        expect(bell).to_have_attribute("aria-label", "Notifications")
        ticket = written(site.world, "Outbox drain deletes rows it never sent", "Look at it, please.")
        expect(bell).to_have_attribute("aria-label", "Notifications, 1 unread", timeout=20_000)
        assert page.evaluate("window.mark") == MARK
        bell.click()
        page.get_by_role("button", name=f"Operator wrote on {ticket.key}", exact=False).first.click()
        page.wait_for_url(re.compile(rf"/tickets/{ticket.key}/"))
        expect(page.locator("#bell a")).to_have_attribute("aria-label", "Notifications")


def test_the_list_follows_what_happens_and_all_of_it_is_read_at_once(site: Site) -> None:
    with site.page("/notifications/") as page:
        page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=30_000)
        first = written(site.world, "Retry with a jitter", "Full jitter.")
        page.get_by_text(f"wrote on {first.key}").wait_for(timeout=20_000)
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent").startswith("Operator wrote on")
        page.get_by_role("button", name="Mark all as read").click()
        page.get_by_text("marked as read.").wait_for()
        expect(page.get_by_role("button", name="Mark all as read")).to_have_count(0)
        expect(page.locator("#bell a")).to_have_attribute("aria-label", "Notifications")


@pytest.mark.timeout(240)
def test_the_pages_look_right(site: Site) -> None:
    written(site.world, "The relay keeps a dead letter for ever", "Seven days, not for ever.")
    written(site.world, "A title of `code` and " + "a long word" * 8, "Shorter, please.")
    pages = {
        "notifications-some": "/notifications/",
        "notifications-unread": "/notifications/?only=unread",
        "activity-some": "/activity/",
        "activity-filtered": "/activity/?kind=ticket&actor=Admin&since=2026-01-01&until=yesterday",
        "needs-me-messages": "/",
    }
    for name, url in pages.items():
        with site.page(url) as page:
            in_every_look(page, name)
