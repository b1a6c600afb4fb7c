"""Pages of evidence in a real Chromium: in every look, copied as text, and another by itself once a fix is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import Site, in_every_look, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.deployments.story import Story
    from tests.engines.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]


@pytest.fixture(scope="module")
def site(stack: Stack, browser: Browser) -> Site:
    from tests import factories

    world = factories.world()
    stack.web()
    found = Site(stack, browser, world)
    found.cookies = [{"name": "shiproom", "value": session_of(world), "url": stack.base_url}]
    return found


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """D-1 is live in staging and waits at the gate of production; D-3 is open."""
    from reviews.models import Finding
    from tests.deployments import build
    from tests.deployments.story import Story

    told = Story(site.world.mc, site.world.reviewer)
    titles = {
        "D-1": "Outbox drain deletes rows that it `never` sent",
        "D-3": "Delivery log has no index on tenant and time",
    }
    for reference, title in titles.items():
        Finding.objects.filter(reference=reference).update(title=title)
    told.turn(proven=False)
    release = told.release(told.merged())
    told.deployed(told.release(), told.staging)
    told.deployed(release, told.staging)
    build.deployment(told.project, "waiting_gate", service=told.service, environment=told.production, release=release)
    return told


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["evidence", "evidence-none", "evidence-chain", "evidence-open"])
def test_a_page_looks_right(site: Site, story: Story, name: str) -> None:
    url = {
        "evidence": "/evidence/",
        "evidence-none": "/evidence/?standing=live&severity=low",
        "evidence-chain": f"/evidence/{story.findings[0].pk}/",
        "evidence-open": f"/evidence/{story.findings[2].pk}/",
    }[name]
    with site.page(url) as page:
        in_every_look(page, name)


def test_the_chain_is_copied_as_text(site: Site, story: Story) -> None:
    with site.page(f"/evidence/{story.findings[0].pk}/") as page:
        page.get_by_role("button", name="Copy as text").click()
        page.get_by_role("button", name="Copied").wait_for()
        text = page.evaluate("navigator.clipboard.readText()")
        assert text.splitlines()[1] == "Fixed, not live in production."


def test_it_is_live_on_an_open_page_once_it_is_deployed(site: Site, story: Story) -> None:
    with site.page(f"/evidence/{story.findings[1].pk}/") as page:
        page.locator(".head .badge", has_text="Fixed, not live in production").wait_for()
        release = story.service.releases.get(number=1)
        story.deployed(release, story.production)
        page.locator(".head .badge", has_text="Verified live").wait_for(timeout=15_000)
