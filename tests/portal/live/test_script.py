"""The client script in a real browser, against real sockets, under a strict content policy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.engines import children

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.once]

LISTEN = """() => {
  window.heard = [];
  document.addEventListener("shiproom:live", (event) => window.heard.push(event.detail));
}"""


@pytest.fixture
def aside() -> Callable[..., Any]:
    """Runs work in a thread without an event loop, as that of views and workers."""

    def run(work: Callable[..., Any], *args: Any) -> Any:
        found: list[Any] = []

        def go() -> None:
            found.append(work(*args))
            connection.close()

        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
        return found[0]

    return run


@pytest.fixture
def start(serve, browser, person, aside, settings):
    """Opens the page of a server, signed in."""
    opened = []

    def open_page(**options: str) -> Any:
        server = serve(**options)
        _, session = aside(lambda: person(t1=10))
        context = browser.new_context()
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.origin}])
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda said: page.problems.append(said.text) if "Content Security" in said.text else None)
        page.goto(server.origin)
        page.evaluate(LISTEN)
        opened.append(context)
        return page

    yield open_page
    for context in opened:
        context.close()


def badge(page: Any, word: str, seconds: float = 10) -> None:
    sync_api.expect(page.locator("[data-live-badge]")).to_contain_text(word, timeout=seconds * 1000)


def count(page: Any, number: int, seconds: float = 10) -> None:
    sync_api.expect(page.locator("#count")).to_have_text(str(number), timeout=seconds * 1000)


def test_an_event_reads_the_element_again(start, announce, aside):
    page = start()
    badge(page, "Live")
    assert page.locator("[data-live-badge]").get_attribute("data-tone") == "good"
    page.locator("#fold").evaluate("fold => { fold.open = true; }")
    page.locator("#button").focus()
    aside(announce, "room:1.a", 3)
    count(page, 3)
    assert page.evaluate("document.activeElement.id") == "button"
    assert page.locator("#fold").evaluate("fold => fold.open")
    assert page.problems == []


def test_what_is_being_typed_stays_and_the_element_catches_up_after(start, announce, aside):
    page = start()
    badge(page, "Live")
    page.locator("#field").fill("half a sent")
    aside(announce, "room:1.a")
    page.wait_for_selector("#a[data-live-waiting]", timeout=5000)
    assert page.locator("#field").input_value() == "half a sent"
    page.locator("#field").fill("")
    page.locator("#field").blur()
    count(page, 1)
    assert page.locator("#a[data-live-waiting]").count() == 0


def test_output_is_appended_as_text_and_bounded_with_a_mark(start, announce, aside):
    page = start()
    badge(page, "Live")
    aside(announce, "text:1", 3)
    sync_api.expect(page.locator("#out")).to_have_text("000000001\n000000002\n000000003\n", timeout=5000)
    aside(announce, "text:1", 5)
    sync_api.expect(page.locator("#out")).to_contain_text("000000008", timeout=5000)
    text = page.locator("#out").inner_text()
    assert text.startswith("Earlier output was cut here.")
    assert [line for line in text.splitlines() if line.isdecimal()] == [f"{n:09d}" for n in range(4, 9)]


def test_elements_that_come_later_are_followed_and_gone_ones_are_not(start, announce, aside):
    page = start()
    badge(page, "Live")
    page.evaluate("""() => {
      const made = document.createElement("div");
      made.id = "later";
      made.dataset.live = "room:1.b";
      made.dataset.liveCursor = "-:0";
      made.dataset.liveUrl = "/fragment?b";
      document.body.append(made);
    }""")
    # Not wait_for_function: looking a second time, it evaluates inside the page, which the policy forbids.
    for _ in range(200):
        if page.evaluate("heard.some((it) => it.type === 'frame' && it.frame.stream === 'room:1.b')"):
            break
        page.wait_for_timeout(50)
    else:
        raise AssertionError("the element that came later was never followed")
    aside(announce, "room:1.b")
    page.wait_for_selector("#later #count")
    page.evaluate("document.getElementById('later').remove()")
    page.wait_for_timeout(300)
    page.evaluate("heard.length = 0")
    aside(announce, "room:1.b")
    aside(announce, "room:1.a")
    count(page, 1)
    assert not page.evaluate("heard.some((it) => it.frame?.stream === 'room:1.b')")


def test_an_element_whose_object_is_gone_says_so(start, announce, aside):
    page = start()
    badge(page, "Live")
    aside(announce, "room:1.end")
    aside(announce, "room:1.a")
    sync_api.expect(page.locator("#a")).to_have_text("This is no longer here for you.", timeout=5000)


def test_without_a_server_it_is_offline_and_afterwards_nothing_is_missing(start, serve, announce, aside):
    page = start(LIVE_POLL_SECONDS="1")
    server = serve(LIVE_POLL_SECONDS="1")
    badge(page, "Live")
    children.end(server.process)
    badge(page, "Offline")
    assert page.locator("[data-live-badge]").get_attribute("data-tone") == "bad"
    aside(announce, "room:1.a", 2)
    server.restart()
    badge(page, "Live", seconds=20)
    count(page, 2)


def test_signed_out_elsewhere_the_page_is_opened_anew(start, aside):
    from django.contrib.sessions.models import Session

    page = start()
    badge(page, "Live")
    with page.expect_navigation(timeout=10_000):
        aside(lambda: Session.objects.all().delete())
