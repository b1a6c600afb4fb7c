"""What an agent says and does, on a page that stays open while it works: read again at a pace, folds and place kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_look import looked_at, session_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.engines.stack import Stack
    from tests.factories import World
    from tickets.models import Turn

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.once]
READINGS = """() => {
  window.readings = [];
  document.addEventListener("shiproom:live", (event) => {
    if (event.detail.type === "swap" && event.detail.element.id === "transcript-1") window.readings.push(Date.now());
  });
}"""


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    from tests import factories

    found = factories.world()
    stack.web()
    return found


def write(turn: Turn, output: str) -> None:
    """More of the turn's output, as its worker stores it: a row, and a hint to whoever follows."""
    from portal.live import hints
    from workers.models import AttemptOutput
    from workers.output import stream

    offset = sum(AttemptOutput.objects.filter(attempt=turn.attempt_id).values_list("length", flat=True))
    AttemptOutput.objects.create(attempt_id=turn.attempt_id, offset=offset, length=len(output), text=output)
    hints.send([stream(turn.attempt_id)])


def opened(stack: Stack, browser: Browser, world: World, turn: Turn) -> Page:
    context = browser.new_context(base_url=stack.base_url, viewport={"width": 1280, "height": 700})
    context.add_cookies([{"name": "shiproom", "value": session_of(world), "url": stack.base_url}])
    page = context.new_page()
    page.goto(turn.ticket.get_absolute_url())
    page.locator("[data-live-badge][data-tone=good]").wait_for(timeout=30_000)
    page.evaluate(READINGS)
    return page


def test_a_transcript_goes_on_while_its_folds_and_its_place_stay(stack: Stack, browser: Browser, world: World) -> None:
    from tests.tickets import build

    build.agent("claude-live", adapter="claude")
    ticket = build.ticket(world.mc, "running")
    long = build.gave("a", "\n".join(f"line {n}" for n in range(200)))
    begin = build.stream(build.text("I begin."), build.call("a", "Bash", command="make one"), long)
    turn = build.turn(ticket, "running", output=begin)
    page = opened(stack, browser, world, turn)
    fold = page.locator("#transcript-1 details").first
    fold.locator("summary").click()
    output = fold.get_by_role("region", name="What it gave")
    output.evaluate("node => node.scrollTo(0, 60)")
    page.evaluate("window.scrollTo(0, 40)")
    for n in range(12):
        write(turn, build.stream(build.call(f"b{n}", "Read", file_path=f"relay/{n}.py")))
        page.wait_for_timeout(150)
    page.locator("#transcript-1").get_by_text("relay/11.py", exact=True).wait_for(timeout=20_000)
    assert page.locator("[id=transcript-1]").count() == 1, "it is read into its own place, not into itself"
    assert fold.evaluate("node => node.open"), "what was opened stays open"
    assert output.evaluate("node => node.scrollTop") == 60
    assert page.evaluate("window.scrollY") == 40
    assert page.locator("#transcript-1 details[open]").count() == 1
    readings = page.evaluate("window.readings")
    pauses = [later - earlier for earlier, later in zip(readings, readings[1:], strict=False)]
    assert readings and all(pause > 900 for pause in pauses), pauses
    page.locator("#turn-1-raw summary").click()
    page.locator("#output-1").get_by_text("make one").first.wait_for()
    looked_at(page, "ticket-running-open")
    page.context.close()


def test_a_turn_is_stopped_from_its_head(stack: Stack, browser: Browser, world: World) -> None:
    from portal.core.clock import now
    from tests.tickets import build
    from tickets.models import Turn
    from workers.models import Attempt, Job

    ticket = build.ticket(world.mc, "running")
    turn = build.turn(ticket, "running", output="$ make\n")
    carrier = Attempt.objects.get(pk=turn.attempt_id)
    Attempt.objects.filter(pk=carrier.pk).update(outcome="running", ended_at=None)
    running = {"state": "running", "worker": "w", "lease_until": now() + timedelta(hours=1)}
    Job.objects.filter(pk=carrier.job_id).update(unique_key=ticket.subject, **running)
    page = opened(stack, browser, world, turn)
    page.locator("#turn-1").get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    page.locator("#turn-1").get_by_text("its processes are ended within 12 s").wait_for()
    assert page.locator("#turn-1").get_by_role("button", name="Stop").count() == 0
    assert Job.objects.get(pk=carrier.job_id).cancel_at is not None
    assert Turn.objects.get(pk=turn.pk).state == "running"
    page.context.close()
