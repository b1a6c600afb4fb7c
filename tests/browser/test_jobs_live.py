"""Two people watch the jobs page: what happens to a job happens before their eyes, without a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import session_of
from tests.engines.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.factories import World
    from workers.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.once]
MARK = "not loaded again"


@pytest.fixture(scope="module")
def running(open_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Stack]:
    with open_stack(JOB_MAX_FAILURES="2", RETRY_FIRST_SECONDS="4", RETRY_CAP_SECONDS="4") as stack:
        stack.everything()
        yield stack


@pytest.fixture(scope="module")
def world(running: Stack) -> World:
    from tests import factories

    return factories.world()


def test_two_browsers_see_a_job_fail_retry_and_die_also_after_the_web_process_was_restarted(
    running: Stack, world: World, browser: Browser, tmp_path: Path
) -> None:
    pages = [watching(running, browser, world) for _ in range(2)]
    watched_to_its_death(pages, failing_turn(world, "first", tmp_path / "first"))
    web = next(process for process in running.running if process.name == "web")
    web.stop()
    for page in pages:
        page.locator("[data-live-badge][data-tone=bad]").wait_for(timeout=60_000)
    running.running.remove(web)
    running.web()
    for page in pages:
        page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=60_000)
    watched_to_its_death(pages, failing_turn(world, "second", tmp_path / "second"))
    for page in pages:
        assert page.evaluate("window.mark") == MARK, "the page was never loaded again"


def watching(running: Stack, browser: Browser, world: World) -> Page:
    context = browser.new_context(base_url=running.base_url)
    context.add_cookies([{"name": "shiproom", "value": session_of(world), "url": running.base_url}])
    page = context.new_page()
    page.goto("/workers/")
    page.evaluate(f"window.mark = '{MARK}'")
    page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=30_000)
    return page


def failing_turn(world: World, name: str, folder: Path) -> Job:
    """Of an agent that ends with a code that says so, each time."""
    from tests.tickets.workshop import Workshop
    from tickets import work
    from workers.models import Agent, AgentVersion, Job

    folder.mkdir()
    ticket = Workshop(world.mc, folder).ticket()
    agent = Agent.objects.create(name=name)
    profile = {"adapter": "plain", "trusted": True, "wall_seconds": 60, "silence_seconds": 60, "max_failures": 2}
    AgentVersion.objects.create(agent=agent, number=1, command=["sh", "-c", "sleep 2; exit 3"], **profile)
    work.assign(ticket, agent)
    return Job.objects.get(subject=ticket.subject)


def watched_to_its_death(pages: list[Page], job: Job) -> None:
    """Running, queued again with the error, running again, dead: each is seen by both."""
    for words in ("Running", "code 3", "Running", "Dead"):
        for page in pages:
            row = page.locator("tr", has=page.locator(f"a[href='/workers/jobs/{job.pk}/']"))
            row.filter(has_text=words).first.wait_for(timeout=40_000)
    job.refresh_from_db()
    assert (job.state, job.attempts.count()) == ("dead", 2)
