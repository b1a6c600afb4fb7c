"""Each command line when something ends it: a person, a lost worker, its own good end; nothing of it stays."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.clis.benches import Bench, alive, carried, ended, output, wait
from tests.engines.stack import FAST
from tests.tickets.workshop import newest
from tickets import work
from workers.models import Breaker

pytestmark = [pytest.mark.cli, pytest.mark.processes, pytest.mark.timeout(180)]
DONE = ["signal", "DONE", "The door is oiled."]
_marks = itertools.count(os.getpid() * 100)


def mark() -> str:
    """An argument that no other process has."""
    return f"mark-{next(_marks)}"


def sleeping(mark: str) -> str:
    """A command that sleeps. Claude Code refuses a bare ``sleep``."""
    return f"sh -c 'sleep 600; true' {mark}"


def test_a_person_stops_it_while_a_tool_runs_and_nothing_is_left(bench: Bench) -> None:
    called = mark()
    ticket = bench.given({1: [["shell", sleeping(called)], DONE]})
    wait("the tool", lambda: alive(called))
    work.stop(ticket, reason="It sleeps.")
    took = wait("the end of the tool", lambda: not alive(called), 15)
    ended(ticket, "open", seconds=15)
    assert (newest(ticket).state, took < 12) == ("stopped", True)
    wait("the end of the tree", lambda: not carried(), 5)


def test_what_a_tool_left_behind_is_gone_after_a_good_end(bench: Bench) -> None:
    called = mark()
    # It leaves session and group, and says that it is there.
    daemon = f"setsid {sleeping(called)} > /dev/null 2>&1 < /dev/null & sleep 1; kill -0 $! && echo it-lives"
    ticket = ended(bench.given({1: [["shell", daemon], DONE]}))
    assert ticket.state == "unproven", (newest(ticket).verdict, output(ticket))
    assert "it-lives" in bench.api.of(ticket.key)[-1].text.rpartition("result: ")[2]
    assert not alive(called)
    wait("the end of the tree", lambda: not carried(), 5)


def test_after_a_killed_worker_the_next_turn_goes_on_with_its_session(bench: Bench) -> None:
    called = mark()
    turns = {1: [["shell", sleeping(called)], DONE], 2: [DONE]}
    ticket = bench.given(turns, max_failures=3)
    wait("the tool", lambda: alive(called))
    worker = next(found for found in bench.stack.running if found.name.startswith("turns"))
    worker.kill()
    bench.stack.running.remove(worker)
    wait("the end of the tool", lambda: not alive(called), 15)
    bench.stack.worker("turns", 1)
    wait("the second turn", lambda: ticket.turns.count() >= 2, int(FAST["LEASE_SECONDS"]) + 20)
    ended(ticket)
    first, second = ticket.turns.order_by("seq")
    assert (ticket.state, first.state, second.state) == ("unproven", "failed", "done"), second.verdict
    asked = bench.api.of(ticket.key, 2)[0].text
    assert (second.resumed, first.nonce in asked) == (True, True), "it goes on with the session of the lost turn"


def test_a_key_that_is_refused_opens_its_breaker_and_the_next_ticket_fails_nobody(bench: Bench) -> None:
    first = ended(bench.given({1: [["fail", 401]], 2: [["fail", 401]]}, max_failures=2), "failed", seconds=100)
    version = newest(first).agent_version
    assert first.turns.count() == 2
    second = work.create_ticket(bench.shop.project, title="And the bell", body=first.body)
    work.assign(second, version.agent)
    wait("the breaker", lambda: Breaker.objects.filter(agent_version=version, state="open").exists())
    assert not bench.api.of(second.key)
    second.refresh_from_db()
    assert second.state == "queued"
    work.stop(second, reason="It is known now.")
