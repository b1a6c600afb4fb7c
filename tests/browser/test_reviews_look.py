"""Pages of reviews and findings in a real Chromium: every state, light, dark and on a phone; and their scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import LOOKS, Site, in_every_look, looked_at, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.engines.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]

PAGES = (
    "review-plan",
    "review-applied",
    "review-rendered",
    "review-log",
    "review-reverted",
    "review-discarded",
    "review-stale",
    "review-failed",
    "review-received",
    "review-new",
    "findings",
    "findings-filtered",
    "findings-none",
    "finding-decisions",
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
    from tests.reviews import pictures

    return pictures.of_reviews(site.world)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_right(site: Site, pages: dict[str, str], name: str) -> None:
    with site.page(pages[name]) as page:
        in_every_look(page, name)


def test_a_preview_comes_without_losing_the_chosen_file(site: Site, pages: dict[str, str]) -> None:
    from tests.reviews.pictures import SECOND

    for scheme, width in LOOKS:
        with site.page(pages["review-new"], scheme, width) as page:
            page.get_by_label("Series").fill("Typed before")
            chosen = {"name": "review.md", "mimeType": "text/markdown", "buffer": SECOND.encode()}
            page.get_by_label("File").set_input_files(chosen)  # type: ignore[arg-type]
            page.get_by_role("heading", name="Delivery path review v2").wait_for()
            assert page.get_by_label("Series").input_value() == "Typed before"
            assert page.get_by_label("File").evaluate("field => field.files[0].name") == "review.md"
            looked_at(page, f"review-preview-{scheme}-{width}")


def test_a_file_that_is_too_long_is_said_before_it_travels(site: Site, pages: dict[str, str], tmp_path: Path) -> None:
    long = tmp_path / "long.md"
    with long.open("wb") as file:
        file.truncate(52_428_801)
    with site.page(pages["review-new"]) as page:
        page.get_by_label("File").set_input_files(long)
        page.get_by_role("alert").get_by_text("this file has 52,428,801").wait_for()
        page.get_by_role("button", name="Upload").click()
        assert page.url.endswith("/reviews/new/")
        looked_at(page, "review-new-too-long")


def test_a_row_is_left_out_in_place_and_the_focus_stays(site: Site, pages: dict[str, str]) -> None:
    with site.page(pages["review-plan"]) as page:
        button = page.get_by_role("button", name="Leave out: Attempt counter")
        button.focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Take in again: Attempt counter").wait_for()
        assert page.evaluate("document.activeElement.ariaLabel").startswith("Take in again: Attempt counter")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Leave out: Attempt counter").wait_for()


def test_a_selection_and_a_title_make_one_ticket(site: Site, pages: dict[str, str]) -> None:
    with site.page(pages["review-applied"]) as page:
        page.get_by_label("Select Template upload").check()
        page.get_by_role("button", name="Make tickets of the selected").wait_for()
        page.get_by_label("One ticket for all of them").fill("Close the door")
        looked_at(page, "review-selected")
        page.get_by_role("button", name="Make one ticket of the selected").click()
        page.get_by_role("status").get_by_text("Made 1 ticket").wait_for()


def test_a_row_of_the_list_that_is_ticked_offers_its_ticket(site: Site, pages: dict[str, str]) -> None:
    with site.page(pages["findings"]) as page:
        page.get_by_label("Select Dead letters are invisible").check()
        looked_at(page, "findings-selected")
        page.get_by_role("button", name="Make tickets of the selected").click()
        page.get_by_role("status").get_by_text("Made 1 ticket").wait_for()
