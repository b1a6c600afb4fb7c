"""The runner of the suite tells the truth about what it ran."""

from __future__ import annotations

import ast
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


def test_no_test_stands_where_no_run_looks_for_it() -> None:
    """In another folder, in a file of another name, in a class that is not collected."""
    unseen = []
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        bodies = [node.body for node in classes if not node.name.startswith("Test")]
        if not path.name.startswith("test_"):
            bodies = [tree.body, *(node.body for node in classes)]
        unseen += [f"{path.relative_to(ROOT)} {name}" for body in bodies for name in those_named_as_tests(body)]
    # A repository of its own, whose tests its own host runs.
    demo = ROOT / "portal" / "site" / "demo" / "repository"
    for folder in ("portal", "workers", "tickets", "reviews", "deployments", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if not path.is_relative_to(demo) and "import pytest" in path.read_text(encoding="utf-8"):
                unseen.append(str(path.relative_to(ROOT)))
    assert unseen == []


def those_named_as_tests(body: list[ast.stmt]) -> list[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node.name for node in body if isinstance(node, kinds) and node.name.startswith("test_")]
