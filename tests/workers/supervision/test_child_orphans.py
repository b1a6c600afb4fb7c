"""The worker or the supervisor dies or hangs: the tree ends all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers.supervision.child import read_exit_record, sweep

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[3]
HOLDER = Path(__file__).with_name("holder.py")
STUBBORN = (sys.executable, "-I", str(ROOT / "workers/agents/examples/stubborn_agent.py"))


@pytest.fixture
def hold(attempt):
    """Start a worker process that holds a stubborn agent; return it once the agent and its daemon run."""
    holders = []

    def start(*, every: float = 0.5, lease: float = 60.0, **env: str):
        holder = subprocess.Popen(
            [sys.executable, str(HOLDER), str(attempt.directory), attempt.marker, str(every), str(lease)]
            + list(STUBBORN),
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env},
            start_new_session=True,
        )
        holders.append(holder)
        holder.supervisor = int(holder.stdout.readline())
        spool = attempt.directory / "stdout.spool"
        attempt.wait_until(lambda: spool.exists() and spool.read_bytes().count(b"stays") == 2)
        return holder

    yield start
    for holder in holders:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()


def gone(attempt) -> bool:
    return not attempt.left() and not attempt.left("SHIPROOM_SUPERVISES")


def test_kill_9_of_the_worker_ends_the_tree_within_5_seconds(attempt, hold, record_property):
    holder = hold()
    os.kill(holder.pid, signal.SIGKILL)
    took = attempt.wait_until(lambda: gone(attempt))
    record_property("seconds", took)
    print(f"tree gone {took:.2f} s after the worker's death")
    assert took <= 5.0
    assert read_exit_record(attempt.directory).ended_by == "orphaned"


def test_a_forked_copy_of_the_worker_does_not_hide_its_death(attempt, hold):
    holder = hold(FORK_A_COPY="1")
    os.kill(holder.pid, signal.SIGKILL)
    assert attempt.wait_until(lambda: gone(attempt)) <= 5.0
    assert read_exit_record(attempt.directory).ended_by == "orphaned"


def test_a_stopped_worker_loses_its_tree_at_the_deadline(attempt, hold):
    holder = hold(every=0.2, lease=2.0)
    os.kill(holder.pid, signal.SIGSTOP)
    took = attempt.wait_until(lambda: gone(attempt))
    print(f"tree gone {took:.2f} s after the worker's stop, lease 2 s")
    assert took <= 2.0 + 5.0
    assert read_exit_record(attempt.directory).ended_by == "deadline"


def test_kill_9_of_the_supervisor_takes_the_main_process_and_sweep_the_rest(attempt):
    child = attempt.example("stubborn_agent.py")
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes().count(b"stays") == 2)
    os.kill(child.pid, signal.SIGKILL)
    attempt.wait_until(lambda: len(attempt.left()) == 1)  # the daemon has outlived supervisor and agent
    assert sweep(attempt.marker, grace=0.2) == 1
    assert attempt.left() == []
    record = child.wait(5)
    assert (record.ended_by, record.exit_code) == ("lost", None)
    assert record.message == "its supervisor ended with status -9; processes swept: 0"


def test_poll_sweeps_after_a_lost_supervisor(attempt):
    child = attempt.example("stubborn_agent.py")
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes().count(b"stays") == 2)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(15).ended_by == "lost"
    assert attempt.left() == []


def test_kill_ends_a_supervisor_that_does_not_answer(attempt):
    child = attempt.example("stubborn_agent.py")
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes().count(b"stays") == 2)
    os.kill(child.pid, signal.SIGSTOP)
    assert child.kill().ended_by == "lost"
    assert attempt.left() == []


def test_sweep_lets_a_living_supervisor_write_its_record(attempt):
    child = attempt.example("stubborn_agent.py", grace=0.2)
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes().count(b"stays") == 2)
    assert sweep(attempt.marker, grace=1.0) == 3
    assert attempt.left() == []
    assert child.wait(5).ended_by == "stopped"


def test_sweep_of_an_unknown_marker_finds_nothing():
    assert sweep("nobody-has-this-marker") == 0
