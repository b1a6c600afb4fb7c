"""Pages of deployments and of places in a real Chromium: every state, light, dark and on a phone; and what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import Site, in_every_look, looked_at, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.engines.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]

PAGES = (
    "deployment-new",
    "deployment-preparing",
    "deployment-held",
    "deployment-own",
    "deployment-running",
    "deployment-interrupted",
    "deployment-manual",
    "deployment-succeeded",
    "deployment-rolled-back",
    "deployment-failed",
    "deployment-cancelled",
    "environments",
    "environments-none",
    "environment",
    "environment-held",
    "environment-edit",
    "environment-new",
    "service",
    "service-pipeline",
    "service-new",
    "release-told",
    "deployment-back",
    "environments-two",
    "figures",
    "careful-done",
    "careful-pausing",
    "careful-waiting",
    "careful-pipeline",
    "careful-service",
    "environment-degraded",
    "freezes",
    "freeze",
    "freeze-planned",
    "freeze-new",
    "deployment-frozen",
    "deployment-overridden",
    "deployment-held-under-way",
    "service-needs",
    "service-needing",
    "environment-frozen",
    "environment-follows",
    "ticket-live",
    "policy",
    "policy-none",
    "project-deploying",
    "needs-deploying",
)


@pytest.fixture(scope="module")
def site(stack: Stack, browser: Browser) -> Site:
    from tests import factories

    world = factories.world()
    stack.web()
    found = Site(stack, browser, world)
    found.cookies = [{"name": "shiproom", "value": session_of(world), "url": stack.base_url}]
    return found


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, str]:
    from tests.deployments import pictures

    return pictures.of_deployments(site.world)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_right(site: Site, pages: dict[str, str], name: str) -> None:
    with site.page(pages[name]) as page:
        in_every_look(page, name)


@contextmanager
def refusing(site: Site, url: str) -> Iterator[Page]:
    """A page that is refused on purpose: the browser says of each refusal on the console that it was one."""
    page = site.profile("light", 1280, signed_in=True).new_page()
    page.goto(url)
    yield page
    page.close()


def test_a_step_that_is_added_keeps_what_was_typed(site: Site, pages: dict[str, str]) -> None:
    with refusing(site, pages["service-new"]) as page:
        page.get_by_label("Name").first.fill("typed")
        page.get_by_label("Command", exact=True).fill("./ship\n--now")
        page.get_by_label("Another step").select_option("health")
        page.get_by_role("button", name="Add a step").click()
        page.get_by_role("heading", name="2. Health").wait_for()
        assert page.get_by_label("Command", exact=True).input_value() == "./ship\n--now"
        page.get_by_role("button", name="Up step 2").click()
        page.get_by_role("heading", name="1. Health").wait_for()
        assert page.get_by_label("Command", exact=True).input_value() == "./ship\n--now"
        assert page.get_by_label("Name").first.input_value() == "typed"
        page.get_by_role("button", name="Make service").click()
        page.get_by_text("Address is required.").wait_for()
        assert page.evaluate("document.activeElement.id") == "step-0-step"
        looked_at(page, "service-new-wrong")


def test_what_somebody_else_does_is_seen_on_an_open_page(site: Site, pages: dict[str, str]) -> None:
    from deployments import holds
    from deployments.models import Hold
    from tests.deployments.pages import place

    waits = place(site.world.mc, "clock", "quiet", approvals_needed=1).ask(site.world.releaser)
    with site.page(waits.get_absolute_url()) as page:
        page.get_by_text("No hold on clock-1 or on quiet").wait_for()
        page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=10_000)
        hold = holds.hold_environment(waits.environment, reason="The audit.")
        page.get_by_text("quiet is held: The audit.").wait_for(timeout=10_000)
        holds.lift(Hold.objects.get(pk=hold.pk), expected_version=1, reason="It is over.")
        page.get_by_text("No hold on clock-1 or on quiet").wait_for(timeout=10_000)
        page.get_by_label("In a few words").fill("Quiet hour.")
        page.get_by_role("button", name="Approve").click()
        page.get_by_role("status").get_by_text("You have approved this plan.").wait_for()
        page.get_by_text("“Quiet hour.”").wait_for()


def test_ending_asks_first_and_takes_a_reason(site: Site, pages: dict[str, str]) -> None:
    from tests.deployments import pages as scenes
    from workers.models import Job

    scene = scenes.place(site.world.mc, "lamp", "attic")
    # What waits from elsewhere is not to be taken up in its place.
    Job.objects.filter(state="queued").delete()
    asks = scenes.interrupted(scene.ask(site.world.releaser))
    with refusing(site, asks.get_absolute_url()) as page:
        page.get_by_role("button", name="End as failed").click()
        dialog = page.get_by_role("dialog", name="End as failed")
        looked_at(page, "deployment-confirm")
        dialog.get_by_role("button", name="End as failed").click()
        page.get_by_text("Say why: it goes into the record").wait_for()
        page.get_by_label("Reason").fill("The address is wrong.")
        page.get_by_role("button", name="End as failed").click()
        dialog.get_by_role("button", name="End as failed").click()
        page.get_by_role("status").get_by_text("It has ended as failed.").wait_for()
        assert scenes.again(asks).state == "failed"
