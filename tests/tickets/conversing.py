"""A worker's turn in this process, and people who act beside it: agents that ask while they run."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from tests.tickets.workshop import Steps, Workshop
from tickets import work
from tickets.models import Purpose, Question, Ticket, Turn, TurnState
from tickets.steering import TurnDesk
from tickets.turn_jobs import TURN_KIND
from workers import claims
from workers.agents.adapters.launches import CLAUDE
from workers.agents.dialogue import Request
from workers.claims import Claim
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Agent, AgentVersion

CHILD = Path(__file__).parents[1] / "workers" / "agents" / "asking_child.py"
BASH = ["Bash", {"command": "touch door"}]
ASKED = Request("request-1", "Bash", {"command": "touch door"})


def asking_agent(shop: Workshop, steps: Steps, **profile: Any) -> Agent:
    """An agent with Claude's protocol, which does the steps for each prompt that it is given."""
    command = [sys.executable, "-I", str(CHILD), json.dumps(steps), *CLAUDE.asking]
    return shop.agent([], "asker", adapter="claude", command=command, resume=command, **profile)


def assigned(shop: Workshop, steps: Steps, **profile: Any) -> Ticket:
    return work.assign(shop.ticket(), asking_agent(shop, steps, **profile))


@contextmanager
def running() -> Iterator[None]:
    """What is due runs, as in a worker; the block is the people. Leaving it waits for the end of what runs."""
    failed: list[BaseException] = []

    keeper = LeaseKeeper("turns@test")
    keeper.start()

    def drain() -> None:
        try:
            Drain("turns", "turns@test", keeper, lambda: False).run()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        keeper.stop()
    assert not thread.is_alive()
    assert not failed, failed


def wait_for(found: Callable[[], Any], seconds: float = 20) -> Any:
    began = time.monotonic()
    while not (what := found()):
        assert time.monotonic() - began < seconds, "it did not come"
        time.sleep(0.1)
    return what


def open_question(ticket: Ticket, after: int = 0) -> Question:
    """The question that the ticket waits with, once there is one later than ``after``."""
    rows = Question.objects.filter(ticket=ticket, state="open", pk__gt=after).select_related("turn", "ticket__project")
    found: Question = wait_for(rows.first)
    return found


def asking_turn(shop: Workshop) -> tuple[Claim, Turn]:
    """A turn that runs under a claim, and has asked."""
    ticket = assigned(shop, [])
    (claim,) = claims.claim("turns", [TURN_KIND], worker="turns@test", most=1)
    version = AgentVersion.objects.select_related("agent").get(pk=claim.payload["agent_version"])
    Ticket.objects.filter(pk=ticket.pk).update(state="running")
    turn = Turn.objects.create(
        ticket=ticket,
        seq=1,
        attempt_id=claim.attempt_id,
        agent_version=version,
        purpose=Purpose.WORK,
        nonce="n" * 32,
        state=TurnState.RUNNING,
    )
    assert TurnDesk(claim, turn).answer(ASKED) is None
    return claim, turn
