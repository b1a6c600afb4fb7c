"""Agents under real worker processes: killed, handed on, and left nowhere."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workers import queue
from workers.agents import trials
from workers.models import Agent, AgentVersion, Attempt, AttemptOutput, Job, Trial

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]
EXAMPLE = Path(__file__).resolve().parents[2] / "workers" / "agents" / "examples" / "editing_agent.py"


def profile(*command: str) -> Agent:
    agent = Agent.objects.create(name="dev")
    AgentVersion.objects.create(
        agent=agent,
        number=1,
        adapter="plain",
        trusted=True,
        command=list(command),
        wall_seconds=300,
        silence_seconds=300,
    )
    return agent


def marked() -> list[int]:
    """Every process that an attempt's marker is on, by a scan of our own."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"-attempt-" in _marker(entry):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _marker(process: Path) -> bytes:
    marks = [line for line in (process / "environ").read_bytes().split(b"\0") if line.startswith(b"SHIPROOM_ATTEMPT=")]
    return marks[0] if marks else b""


def first_time_sleeping(flag: Path) -> tuple[str, ...]:
    """A command that hangs when it is run first, and works when it is run again."""
    work = f"exec {sys.executable} -I {EXAMPLE}"
    return ("/bin/sh", "-c", f"if [ -e {flag} ]; then {work}; fi; echo started; touch {flag}; sleep 300 & wait")


@pytest.mark.postgresql
def test_a_trial_whose_worker_is_killed_is_taken_up_by_another_and_leaves_no_process(
    stack: Any, ready: Callable[..., list[Any]], short_folder: Path
) -> None:
    before = set(marked())
    stack.start_broker()
    [worker] = ready(turns=1)
    trial = trials.ask(profile(*first_time_sleeping(short_folder / "flag")))
    stack.wait("the agent's start", (short_folder / "flag").exists)
    stack.wait("its first word", lambda: AttemptOutput.objects.filter(text__contains="started").exists())
    worker.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    stack.wait("the end of its tree", lambda: not set(marked()) - before, 10)
    ready(turns=1)
    stack.wait("the end of the trial", lambda: Trial.objects.get(pk=trial.pk).state in {"passed", "failed"}, 40)
    print(f"taken up and ended {time.monotonic() - killed:.1f} s after the kill")
    assert Trial.objects.get().state == "passed", Trial.objects.get().verdict
    outcomes = Attempt.objects.order_by("fence").values_list("outcome", flat=True)
    assert list(outcomes) == ["lost", "succeeded"]
    stack.wait("the end of all that was started", lambda: not set(marked()) - before, 10)


@pytest.mark.postgresql
def test_a_trial_that_is_stopped_ends_with_its_tree_in_time(
    stack: Any, ready: Callable[..., list[Any]], short_folder: Path
) -> None:
    before = set(marked())
    stack.start_broker()
    ready(turns=1)
    trial = trials.ask(profile(*first_time_sleeping(short_folder / "flag")))
    stack.wait("the agent's start", (short_folder / "flag").exists)
    queue.cancel(Job.objects.get(), reason="Stopped.")
    asked = time.monotonic()
    stack.wait("the end", lambda: Trial.objects.get(pk=trial.pk).state == "failed", 12)
    print(f"stopped after {time.monotonic() - asked:.1f} s")
    # Its supervisor may still be writing down how it ended.
    left = 12 - (time.monotonic() - asked)
    stack.wait("the end of the tree", lambda: not set(marked()) - before, left)
    assert Job.objects.get().state == "cancelled"


def test_a_job_of_a_machine_waits_until_a_worker_of_it_comes(stack: Any, ready: Callable[..., list[Any]]) -> None:
    stack.start_broker()
    stack.environment["WORKER_HOST"] = "elsewhere"
    ready(short=1)
    job = queue.enqueue("test.short", host="build-7")
    anybodys = queue.enqueue("test.short")
    stack.wait("the other job", lambda: Job.objects.get(pk=anybodys.pk).state == "succeeded", 20)
    time.sleep(3)
    assert Job.objects.get(pk=job.pk).state == "queued"
    stack.environment["WORKER_HOST"] = "build-7"
    ready(short=1)
    stack.wait("its own worker", lambda: Job.objects.get(pk=job.pk).state == "succeeded", 20)
    assert "build-7" in Attempt.objects.get(job=job).worker
