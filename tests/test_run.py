"""The runner of the suite tells the truth about what it ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import sharing

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.processes
def test_a_run_without_a_test_fails() -> None:
    argv = [sys.executable, "-m", "tests.run", "--engine", "sqlite", "tests/test_run.py", "-k", "no_test_has_this_name"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed"


def test_runs_that_share_a_list_take_each_test_once(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    tests = request.session.items
    first, second = (list(sharing.taken(tests, tmp_path)) for _ in range(2))
    assert sorted(test.nodeid for module in first for test in module) == sorted(test.nodeid for test in tests)
    assert second == []
