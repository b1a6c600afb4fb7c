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
