"""A failpoint does nothing unless it is known and armed, and then what its file says, once."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.core import failpoints
from portal.core.failpoints import Failpoint, Injected, reach

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[3]
POINT = Failpoint.BEFORE_RUN


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    failpoints.know(tmp_path)
    yield tmp_path
    failpoints.know(None)


def test_without_a_folder_nothing_happens(tmp_path: Path) -> None:
    (tmp_path / "before_run").write_text("raise")
    reach(POINT)


def test_what_is_not_armed_does_nothing(folder: Path) -> None:
    (folder / "after_claim").write_text("raise")
    reach(POINT)
    assert [path.name for path in folder.iterdir()] == ["after_claim"]


def test_it_raises_once_and_leaves_its_proof(folder: Path) -> None:
    (folder / "before_run").write_text("raise")
    with pytest.raises(Injected, match="BEFORE_RUN"):
        reach(POINT)
    reach(POINT)
    assert [path.name for path in folder.iterdir()] == [f"before_run.{os.getpid()}"]


def test_it_pauses(folder: Path) -> None:
    (folder / "before_run").write_text("pause 0.2")
    began = time.monotonic()
    reach(POINT)
    assert time.monotonic() - began >= 0.2


def test_of_many_processes_one_is_killed(folder: Path) -> None:
    (folder / "before_run").write_text("kill")
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(50):
                reach(POINT)
            os._exit(0)
        pids.append(pid)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert sorted(ends) == [-signal.SIGKILL, 0, 0, 0]
    [proof] = folder.iterdir()
    assert int(proof.suffix[1:]) == pids[ends.index(-signal.SIGKILL)]


def test_each_point_is_reached_in_one_place_of_the_code_and_says_what_it_is() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("portal", "workers", "tickets", "reviews", "deployments")
        for path in (ROOT / package).rglob("*.py")
    ]
    reached = [name for source in sources for name in re.findall(r"\breach\(Failpoint\.(\w+)\)", source)]
    assert sorted(reached) == sorted(point.name for point in Failpoint)
    assert all(point.value.endswith(".") for point in Failpoint)
