"""Pages of deployments and of places in a real Chromium: every state, light, dark and on a phone; and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import Site, in_every_look, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.engines.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]

PAGES = (
    "deployments",
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
    "release",
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
