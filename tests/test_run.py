"""The runner of the suite tells the truth about what it ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.processes
def test_a_run_without_a_test_fails() -> None:
    argv = [sys.executable, "-m", "tests.run", "--engine", "sqlite", "tests/test_run.py", "-k", "no_test_has_this_name"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed"
