"""Kinds of job that live for one test, and a worker's drain in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Limits = Callable[..., None]


@pytest.fixture
def kind() -> Iterator[Callable[..., Any]]:
    """``kind("name", run=..., settle=..., batch=...)`` registers a kind until the test ends."""
    from workers import kinds
    from workers.models import Pool

    made: list[str] = []

    def make(name: str = "test.job", run: Any = None, *, pool: Pool = Pool.SHORT, **options: Any) -> str:
        kinds.register(kinds.Kind(name, name, pool, run or (lambda claim: None), **options))
        made.append(name)
        return name

    yield make
    for name in made:
        kinds._kinds.pop(name)


@pytest.fixture
def limit(settings: Any) -> Limits:
    """``limit(LEASE_SECONDS=3)`` for the time of a test."""

    def change(**values: int) -> None:
        settings.LIMITS = settings.LIMITS | values

    return change


@pytest.fixture
def drain() -> Callable[..., int]:
    """Run what is due in this process, as a worker would; returns how many jobs were run."""
    from workers.draining import Drain
    from workers.leases import LeaseKeeper

    def run(pool: str = "short", worker: str = "worker@test", stopping: Callable[[], bool] = lambda: False) -> int:
        return Drain(pool, worker, LeaseKeeper(worker), stopping).run()

    return run
