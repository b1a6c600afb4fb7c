"""Deployments whose workers are killed in a step, and starts that race: nothing is done twice, nothing blindly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.engines import children
from tests.engines.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.postgresql]
# Notes each start of its own; the first one never ends by itself.
STEP = (
    "import os,sys,time;"
    "first=not os.path.exists(sys.argv[1]);"
    "open(sys.argv[1],'a').write(os.environ['SHIPROOM_STEP']+'\\n');"
    "print('begun',flush=True);"
    "time.sleep(300 if first else 0)"
)


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.beat()
    stack.worker("short")
    return stack


@pytest.fixture
def world(running: Stack) -> Iterator[factories.World]:
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False)
    yield factories.world()
    # The next test's step must find no worker but its own.
    for worker in [found for found in running.running if found.name.startswith("steps")]:
        worker.stop()
        running.running.remove(worker)


def _deployment(world: factories.World, notes: Path, probe: list[str]) -> Any:
    from deployments import requesting
    from tests.deployments import build

    service = build.service(
        world.mc, command=[sys.executable, "-I", "-c", STEP, str(notes)], probe=probe, name="Switch over"
    )
    build.add_step(service, "command", "Then", command=["true"])
    return requesting.request(service, build.environment(world.mc), by=world.releaser)


def _struck(running: Stack, deployment: Any, notes: Path) -> None:
    """The worker of the first step is killed in it; another one is there."""
    first = running.worker("steps", 1)
    children.wait_for("the step", lambda: notes.exists() and notes.read_text().endswith("\n"), seconds=40)
    first.kill()
    running.worker("steps", 2)


def _wait(deployment: Any, states: set[str], seconds: float = 60) -> str:
    def state() -> str:
        deployment.refresh_from_db()
        return str(deployment.state)

    children.wait_for(f"one of {states}", lambda: state() in states, seconds=seconds)
    return state()


def test_a_step_whose_worker_was_killed_is_not_run_again_where_its_probe_says_that_it_is_done(
    running: Stack, world: factories.World, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    deployment = _deployment(world, notes, ["test", "-e", str(notes)])
    _struck(running, deployment, notes)
    assert _wait(deployment, {"succeeded", "interrupted", "failed"}) == "succeeded"
    assert notes.read_text() == f"{deployment.pk}/1\n"
    assert "its probe says that it is done" in deployment.steps.get(n=1).message


def test_a_step_whose_worker_was_killed_asks_a_person_where_nothing_says_what_it_did(
    running: Stack, world: factories.World, tmp_path: Path
) -> None:
    from deployments import interruptions

    notes = tmp_path / "notes"
    deployment = _deployment(world, notes, [])
    _struck(running, deployment, notes)
    assert _wait(deployment, {"succeeded", "interrupted", "failed"}) == "interrupted"
    assert notes.read_text() == f"{deployment.pk}/1\n", "it was not run again"
    interruption = interruptions.open_of(deployment)
    assert interruption is not None
    assert "what it did is not known" in interruption.detail
    interruptions.answer(interruption, "retry", by=world.releaser)
    assert _wait(deployment, {"succeeded", "interrupted", "failed"}) == "succeeded"
    assert notes.read_text() == f"{deployment.pk}/1\n" * 2


def test_a_pause_ends_when_it_said_also_where_its_worker_was_killed(
    running: Stack, world: factories.World, tmp_path: Path
) -> None:
    from deployments import requesting
    from tests.deployments import build

    service = build.service(world.mc, kind="wait", name="Settle", command=[], pause_seconds=6)
    notes = tmp_path / "notes"
    build.add_step(service, "command", "Then", command=[sys.executable, "-I", "-c", STEP, str(notes)])
    notes.write_text("")
    deployment = requesting.request(service, build.environment(world.mc), by=world.releaser)
    first = running.worker("steps", 1)
    begun = deployment.steps.filter(n=1, due_at__isnull=False)
    children.wait_for("the pause", begun.exists, seconds=40)
    first.kill()
    due = begun.get().due_at
    running.worker("steps", 2)
    assert _wait(deployment, {"succeeded", "interrupted", "failed"}) == "succeeded"
    then = deployment.steps.get(n=2)
    assert then.started_at >= due, "nothing comes before its time"
    assert deployment.steps.get(n=1).due_at == due, "and the time is what it was"
