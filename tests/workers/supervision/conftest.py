"""What the tests of supervision share: attempts in a temporary place, and a scan for what is left of them."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workers.supervision.child import Child, ChildSpec, sweep

EXAMPLES = Path(__file__).resolve().parents[3] / "workers" / "agents" / "examples"


class Attempt:
    """One attempt of a test: its marker, its directory, its children."""

    def __init__(self, place: Path) -> None:
        self.marker = f"test-{uuid.uuid4().hex}"
        self.place = place
        self.directory = place / "attempt"
        self.children: list[Child] = []

    def spec(self, *argv: str, **changes: Any) -> ChildSpec:
        fields = {"argv": argv, "cwd": self.place, "env": {"PATH": os.environ["PATH"]}, "marker": self.marker}
        return ChildSpec(**{**fields, **changes})

    def start(self, *argv: str, **changes: Any) -> Child:
        self.children.append(Child.start(self.spec(*argv, **changes), self.directory))
        return self.children[-1]

    def python(self, code: str, **changes: Any) -> Child:
        return self.start(sys.executable, "-I", "-S", "-c", code, **changes)

    def example(self, name: str, *arguments: str, **changes: Any) -> Child:
        return self.start(sys.executable, "-I", str(EXAMPLES / name), *arguments, **changes)

    def left(self, variable: str = "SHIPROOM_ATTEMPT") -> list[int]:
        """Scan independently of the code under test: every process with the marker in its environment."""
        mark = f"{variable}={self.marker}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def wait_until(self, true: Callable[[], object], seconds: float = 15.0) -> float:
        """Poll until it is true and return the seconds that it took; fail after too many."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, "it did not happen in time"
            time.sleep(0.02)
        return time.monotonic() - began


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    attempt = Attempt(tmp_path)
    yield attempt
    sweep(attempt.marker, grace=0.0)
    for child in attempt.children:
        child.poll()
