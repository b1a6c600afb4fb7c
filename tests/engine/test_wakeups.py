"""Wake-ups leave after the commit, and a broker that is down, or hangs, holds nobody up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tests.engine.conftest import ROOT, Stack
from workers import queue
from workers.models import Job

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True), pytest.mark.once]
Say = Callable[[str], str]


@pytest.fixture
def enqueuer(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.enqueuer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=stack.environment,
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def say(process: Any, line: str) -> str:
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return str(process.stdout.readline()).strip()


def messages(stack: Stack) -> int:
    with redis.Redis(unix_socket_path=str(stack.socket)) as client:
        return int(client.llen("shiproom:short"))  # type: ignore[arg-type]


def test_a_wake_up_leaves_after_the_commit_and_not_without_one(stack: Stack, enqueuer: Any) -> None:
    stack.start_broker()
    say(enqueuer, "roll back")
    assert (messages(stack), Job.objects.count()) == (0, 0)
    say(enqueuer, "slowly")
    assert messages(stack) == 0
    say(enqueuer, "commit")
    assert messages(stack) == 1
    for _ in range(3):
        say(enqueuer, "now")
    assert (messages(stack), Job.objects.count()) == (1, 4), "one message while a wake-up is on its way"


@pytest.mark.parametrize("connected_before", [False, True])
@pytest.mark.parametrize("how", ["down", "paused"])
def test_a_broker_that_is_away_costs_one_short_wait_and_then_none(
    stack: Stack, enqueuer: Any, how: str, connected_before: bool
) -> None:
    stack.start_broker()
    if connected_before:
        say(enqueuer, "now")
        stack.flush_broker()
    if how == "down":
        stack.kill_broker()
    else:
        assert stack.broker is not None
        stack.broker.send_signal(signal.SIGSTOP)
    waits = [float(say(enqueuer, "now")) for _ in range(6)]
    assert waits[0] < 2.8
    assert sum(waits[1:]) < 1
    assert Job.objects.count() == 6 + connected_before
    # Some time after it is back, wake-ups leave again.
    if how == "down":
        stack.start_broker()
    else:
        stack.broker.send_signal(signal.SIGCONT)
    until = time.monotonic() + 15
    while messages(stack) == 0 and time.monotonic() < until:
        time.sleep(0.5)
        say(enqueuer, "now")
    assert messages(stack) >= 1


# A worker that lingers ----------------------------------------------------------------


def awake(stack: Stack) -> int:
    """How many workers listen over the pool of short jobs."""
    with redis.Redis(unix_socket_path=str(stack.socket)) as client:
        return int(client.pubsub_numsub("shiproom:awake:short")[0][1])


def test_a_worker_that_has_done_something_hears_of_more_without_a_message(
    stack: Stack, ready: Callable[..., list[Any]], enqueuer: Any
) -> None:
    stack.environment |= {"DRAIN_LINGER_SECONDS": "6", "LOOK_INTERVAL_SECONDS": "15", "TICK_INTERVAL_SECONDS": "60"}
    stack.start_broker()
    [worker] = ready(short=1)
    say(enqueuer, "now")
    stack.wait("its listening", lambda: awake(stack) == 1, 30)
    # Its own call for another worker, which is not there, may still lie there.
    stack.flush_broker()
    began = time.monotonic()
    say(enqueuer, "now")
    assert messages(stack) == 0, "it was told by its ear alone"
    stack.wait("the second", lambda: Job.objects.filter(state="succeeded").count() == 2, 5)
    assert time.monotonic() - began < 4, "and not by a look of its own"

    busy = queue.enqueue("test.slow", payload={"seconds": 60})
    say(enqueuer, "now")
    stack.wait("its work", lambda: Job.objects.get(pk=busy.pk).state == "running", 5)
    stack.wait("its silence", lambda: awake(stack) == 0, 5)
    # It falls silent first and calls another worker then: a flush between the two would count its call as ours.
    stack.wait("its own call for another worker", lambda: messages(stack) == 1, 5)
    stack.flush_broker()
    say(enqueuer, "now")
    assert messages(stack) == 1, "who works does not count as awake"

    queue.cancel(Job.objects.get(pk=busy.pk), reason="enough")
    stack.wait("its listening again", lambda: awake(stack) == 1, 20)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0, "and it goes when it is told to"
