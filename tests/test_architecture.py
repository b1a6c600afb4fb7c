"""The shape of the code: layers, names, sizes."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("portal", "workers", "tickets", "reviews", "deployments")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "base", "misc", "manager", "managers", "services", "service"}
FILE_LINES = 450
FUNCTION_LINES = 60
# Runs alone, as one file without the project's imports, so it cannot be divided.
ALONE = {"workers/supervision/supervisor.py": 560}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def sources() -> Iterator[Path]:
    for package in (*PACKAGES, "tests"):
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_child_of_portal_has_its_place_in_the_layers():
    [layers] = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    placed = {name.strip() for layer in layers for name in layer.replace("|", ":").split(":")}
    children = {
        f"portal.{path.stem}"
        for path in (ROOT / "portal").iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert children <= placed
    assert {name for name in placed if not name.startswith("portal.")} == set(PACKAGES) - {"portal"}


def test_the_apps_may_import_the_core_and_the_live_events_of_portal_alone():
    [apps] = [contract for contract in CONTRACTS if contract["type"] == "forbidden"]
    children = {f"portal.{path.stem}" for path in (ROOT / "portal").iterdir() if path.stem != "__pycache__"}
    allowed = {"portal.core", "portal.live", "portal.__init__"}
    assert set(apps["source_modules"]) == set(PACKAGES) - {"portal"}
    assert children - allowed == set(apps["forbidden_modules"])


def test_no_module_has_a_name_that_says_nothing():
    named = [name_of(path) for path in sources() if {path.stem, path.parent.name} & FORBIDDEN_NAMES]
    assert named == []


def test_no_file_is_longer_than_its_budget():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    longest = sorted(lengths.items(), key=lambda item: -item[1])[:10]
    print("longest files:", *(f"{lines:5} {name}" for name, lines in longest), sep="\n")
    assert [(name, lines) for name, lines in longest if lines > ALONE.get(name, FILE_LINES)] == []


def test_no_function_is_longer_than_its_budget():
    lengths = {
        f"{name_of(path)}:{node.lineno} {node.name}": size for path in sources() for node, size in functions(path)
    }
    longest = sorted(lengths.items(), key=lambda item: -item[1])[:10]
    print("longest functions:", *(f"{lines:5} {name}" for name, lines in longest), sep="\n")
    assert [item for item in longest if item[1] > FUNCTION_LINES] == []


def test_every_function_says_what_it_takes_and_gives():
    untyped = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in sources()
        if not path.is_relative_to(ROOT / "tests")
        for node, _ in functions(path)
        if node.returns is None or any(given.annotation is None for given in arguments(node))
    ]
    assert untyped == []


def test_nothing_that_git_ignores_is_kept_in_the_repository():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository: an export of it has no ignored files")
    argv = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """All that are named, but the object or class that it belongs to."""
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument for argument in named if argument.arg not in ("self", "cls")]


def functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1
