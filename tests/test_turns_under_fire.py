"""Workers, supervisors and agents killed, stopped and cancelled in each phase of a turn, on real processes.

At most one agent lives for a ticket, nothing that was given to it is lost, the
work is taken up again within a lease and twenty seconds, and no process stays.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests import factories
from tests.engines import children
from tests.engines.stack import FAST, Running, Stack
from tests.tickets.workshop import GOOD, Workshop, newest
from tickets import conversation, work
from tickets.models import Delivery, Measurement, Ticket, Turn
from workers.models import AttemptOutput, Job, LaneSlot, SubjectSlot
from workers.supervision.child import SUPERVISOR_VARIABLE
from workers.supervision.supervisor import MARKER_VARIABLE

# Races and kills are decided on PostgreSQL.
pytestmark = [pytest.mark.postgresql, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(240)]
TAKEN_UP_SECONDS = int(FAST["LEASE_SECONDS"]) + 20
TREE_GONE_SECONDS = 5 + 3  # the promise, and what a busy machine takes to look


@pytest.fixture(scope="module")
def stack(
    open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("data")
    options = {"DATA_DIR": str(folder), "JOB_MAX_LOSSES": "5", "LOOK_INTERVAL_SECONDS": "1"}
    with override_settings(DATA_DIR=folder), open_stack(**options) as found:
        yield found


@pytest.fixture(scope="module")
def world(stack: Stack) -> factories.World:
    return factories.world()


@pytest.fixture
def shop(world: factories.World, tmp_path: Path, stack: Stack) -> Iterator[Workshop]:
    from tickets.models import Project

    Project.objects.filter(pk=world.mc.pk).update(checks=[], allowed_paths=[], merge_strategy="merge")
    yield Workshop(world.mc, tmp_path)
    _end_workers(stack)
    assert _carrying() == [], "no process of an attempt is left"
    assert not LaneSlot.objects.filter(job__isnull=False).exists()
    assert not SubjectSlot.objects.exists()


def _end_workers(stack: Stack) -> None:
    for worker in [found for found in stack.running if found.process.poll() is None]:
        worker.process.send_signal(signal.SIGCONT)
        worker.stop()
    stack.running.clear()


def _carrying(variable: str = MARKER_VARIABLE) -> list[int]:
    """Living processes of attempts of this stack; or their supervisors."""
    wanted = f"{variable}={_marker(0).removesuffix('0')}".encode()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            marked = any(line.startswith(wanted) for line in (entry / "environ").read_bytes().split(b"\0"))
            if marked and (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def _marker(attempt: int) -> str:
    from workers import children as kept

    return str(kept._marker(attempt))


def _given(shop: Workshop, world: factories.World, steps: list[Any]) -> Ticket:
    """A ticket with a message, assigned to an agent that does the steps."""
    ticket = shop.ticket()
    conversation.post(ticket, author=world.operator, body="Mind the lower hinge.")
    return work.assign(ticket, shop.agent(steps))


def _state(ticket: Ticket) -> str:
    ticket.refresh_from_db()
    return str(ticket.state)


def _wait(what: str, ready: Callable[[], object], seconds: float = 30) -> float:
    began = time.monotonic()
    children.wait_for(what, ready, seconds=seconds)
    return time.monotonic() - began


# What is killed, in which phase ----------------------------------------------------------------------------------


def _kill_worker(worker: Running) -> None:
    worker.kill()


def _kill_supervisor(worker: Running) -> None:
    """The kernel takes the agent with it; the worker lives, and settles what is left."""
    (supervisor,) = _carrying(SUPERVISOR_VARIABLE)
    os.kill(supervisor, signal.SIGKILL)


def _stop_worker(worker: Running) -> None:
    worker.process.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize("strike", [_kill_worker, _kill_supervisor, _stop_worker], ids=["worker", "supervisor", "stop"])
@pytest.mark.parametrize("phase", ["agent", pytest.param("check", marks=pytest.mark.postgresql)])
def test_a_turn_that_was_struck_is_taken_up_again_alone_and_loses_nothing(
    stack: Stack, shop: Workshop, world: factories.World, tmp_path: Path, phase: str, strike: Any
) -> None:
    reached, alone = tmp_path / "reached", tmp_path / "alone"
    hang = ["once", str(reached), [["print", "half of it"], ["fork", 300], ["sleep", 300]]]
    if phase == "check":
        shop.project.checks = [
            ["sh", "-c", f"if test ! -e {reached}; then touch {reached}; sleep 300; fi; echo 1 passed"]
        ]
        shop.project.save(update_fields=["checks"])
    more = ["run", "sh", "-c", "mkdir -p src && date +%s%N >> src/door.txt"]
    ticket = _given(shop, world, [["alone", str(alone)], *([hang] if phase == "agent" else []), more, *GOOD[1:]])
    first = stack.worker("turns", 1)
    _wait("the phase", reached.exists)
    time.sleep(0.5)  # so that what it wrote is stored
    struck = time.monotonic()
    strike(first)
    if strike is not _kill_supervisor:
        # Whatever became of the worker, the tree ends by itself: at its death, or when its lease is over.
        late = TREE_GONE_SECONDS + (int(FAST["LEASE_SECONDS"]) if strike is _stop_worker else 0)
        _wait("the end of the tree", lambda: not _carrying(), seconds=late)
    second = stack.worker("turns", 2)
    _wait("the second turn", lambda: ticket.turns.count() >= 2, TAKEN_UP_SECONDS)
    assert time.monotonic() - struck < TAKEN_UP_SECONDS
    _wait("the end", lambda: _state(ticket) not in {"queued", "running"}, 60)
    if strike is _stop_worker:
        first.process.send_signal(signal.SIGCONT)
        time.sleep(1)
    assert (ticket.state, newest(ticket).state) == ("in_review", "done")
    assert not Path(f"{alone}.twice").exists(), "two agents lived at once"
    turns = list(ticket.turns.order_by("seq"))
    assert [turn.state for turn in turns] == ["failed", "done"], "the stopped worker wrote nothing when it woke"
    assert [found.state for found in Delivery.objects.filter(turn__ticket=ticket).order_by("id")] == [
        "returned",
        "acknowledged",
    ]
    if phase == "agent":
        said = AttemptOutput.objects.filter(attempt=turns[0].attempt_id).values_list("text", flat=True)
        assert "half of it" in "".join(said), "the output of the lost turn is kept"
    assert second.process.poll() is None


def test_what_a_lost_worker_had_not_stored_is_read_from_the_spool_by_the_next(
    stack: Stack, shop: Workshop, world: factories.World, tmp_path: Path
) -> None:
    reached = tmp_path / "reached"
    hang = [["print", "before"], ["sleep", 1], ["mark", str(tmp_path / "pid")], ["sleep", 1], ["print", "and after"]]
    ticket = _given(shop, world, [["once", str(reached), [*hang, ["sleep", 300]]], *GOOD])
    first = stack.worker("turns", 1)
    _wait("the agent", (tmp_path / "pid").exists)
    # Stopped, it stores nothing more; its agent goes on for as long as the lease lasts.
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    first.kill()
    stack.worker("turns", 2)
    _wait("the end", lambda: _state(ticket) == "in_review", 60)
    lost = ticket.turns.get(seq=1)
    pieces = AttemptOutput.objects.filter(attempt=lost.attempt_id).order_by("offset").values_list("text", flat=True)
    assert "".join(pieces).splitlines()[:2] == ["before", "and after"]


def test_a_merge_whose_worker_was_killed_during_its_checks_is_done_once(
    stack: Stack, shop: Workshop, world: factories.World, tmp_path: Path
) -> None:
    ticket = _given(shop, world, GOOD)
    first = stack.worker("turns", 1)
    _wait("the turn", lambda: _state(ticket) == "in_review")
    reached = tmp_path / "reached"
    shop.project.checks = [["sh", "-c", f"if test ! -e {reached}; then touch {reached}; sleep 300; fi; echo 1 passed"]]
    shop.project.save(update_fields=["checks"])
    work.accept(ticket, by=world.owner, reason="")
    _wait("the check", reached.exists)
    first.kill()
    stack.worker("turns", 2)
    _wait("the merge", lambda: _state(ticket) == "done", 60)
    assert shop.git("log", "--format=%s", "--merges", "main").count("\n") == 0
    assert shop.git("rev-parse", "main") == ticket.merged_commit


# Stopped by people -----------------------------------------------------------------------------------------------


def test_stop_ends_what_ignores_sigterm_and_its_daemon_within_12_seconds(
    stack: Stack, shop: Workshop, world: factories.World
) -> None:
    import sys

    from workers.models import Agent, AgentVersion

    program = Path(__file__).resolve().parent.parent / "workers" / "agents" / "examples" / "stubborn_agent.py"
    agent = Agent.objects.create(name=f"stubborn-{random.randrange(10**6)}")
    AgentVersion.objects.create(
        agent=agent,
        number=1,
        adapter="plain",
        trusted=True,
        command=[sys.executable, "-I", str(program)],
        wall_seconds=120,
        silence_seconds=120,
    )
    stack.worker("turns", 1)
    ticket = work.assign(shop.ticket(), agent)
    _wait("both", lambda: len(_carrying()) >= 2)
    work.stop(ticket, reason="It does not end.")
    took = _wait("the end of the tree", lambda: not _carrying(), 12)
    _wait("the ticket", lambda: _state(ticket) == "open", 10)
    assert (newest(ticket).state, took < 12) == ("stopped", True)


def test_cancels_at_any_moment_leave_each_turn_with_exactly_one_end(
    stack: Stack, shop: Workshop, world: factories.World
) -> None:
    from portal.core.lifecycle import Refused
    from workers.models import Agent

    # Long enough for some to be stopped while they run.
    steps: list[list[Any]] = [["write", "a", "1"], ["sleep", 0.2], ["signal", "FAILED", "no"]]
    quick = shop.agent(steps, name="quick", max_failures=1)
    Agent.objects.filter(pk=quick.pk).update(concurrency=3)
    quick.refresh_from_db()
    for number in range(1, 4):
        stack.worker("turns", number)
    races = 200
    tickets = [shop.ticket(f"Race {n}") for n in range(races)]
    chance = random.Random(7)
    asked, late = 0, 0
    for start in range(0, races, 8):
        batch = [work.assign(ticket, quick) for ticket in tickets[start : start + 8]]
        chance.shuffle(batch)
        for ticket in batch:
            # While it waits, begins, runs, is measured, or has ended.
            time.sleep(chance.random() * 0.05)
            try:
                work.stop(ticket, reason="Race.")
                asked += 1
            except Refused:
                late += 1
    _wait("all ends", lambda: not Job.objects.filter(state__in=["queued", "running"]).exists(), 120)
    assert asked + late == races and asked > races // 4
    for ticket in tickets:
        job = Job.objects.get(subject=ticket.subject)
        ended = (_state(ticket), job.state)
        assert ended in {("open", "cancelled"), ("failed", "succeeded")}, (ticket.key, ended)
        assert not Turn.objects.filter(ticket=ticket, state="running").exists()
        assert job.attempts.filter(outcome="running").count() == 0
        assert ticket.turns.count() <= 1


# Floods ----------------------------------------------------------------------------------------------------------


def test_a_flood_of_a_gigabyte_is_cut_where_it_says_and_its_verdict_is_read_all_the_same(
    stack: Stack, shop: Workshop, world: factories.World
) -> None:
    import sys

    from workers.models import Agent, AgentVersion

    program = Path(__file__).resolve().parent.parent / "workers" / "agents" / "examples" / "flooding_agent.py"
    agent = Agent.objects.create(name=f"flood-{random.randrange(10**6)}")
    AgentVersion.objects.create(
        agent=agent,
        number=1,
        adapter="plain",
        trusted=True,
        command=[sys.executable, "-I", str(program), "--bytes", "1000000000"],
        wall_seconds=120,
        silence_seconds=120,
        output_bytes=1_000_000,
    )
    stack.worker("turns", 1)
    ticket = work.assign(shop.ticket(), agent)
    largest = 0
    until = time.monotonic() + 90
    while _state(ticket) in {"queued", "running"} and time.monotonic() < until:
        for pid in _carrying(SUPERVISOR_VARIABLE):
            largest = max(largest, _rss_mib(pid))
        time.sleep(0.1)
    assert ticket.state == "unproven", "it said DONE, and did nothing"
    assert 0 < largest < 64
    pieces = AttemptOutput.objects.filter(attempt=newest(ticket).attempt_id).order_by("offset")
    text = "".join(pieces.values_list("text", flat=True))
    assert "bytes of stdout dropped here]" in text
    assert len(text) < 1_200_000
    assert not Measurement.objects.get(turn__ticket=ticket).proven


def _rss_mib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
