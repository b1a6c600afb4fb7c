"""The library of the protocol is large: web imports it with the first request of an agent, not at its start."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[3]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_one_module_imports_it_and_none_imports_that_module() -> None:
    sources = [
        path
        for name in ("portal", "tickets", "reviews", "workers", "deployments")
        for path in (ROOT / name).rglob("*.py")
    ]
    using = {
        str(path.relative_to(ROOT))
        for path in sources
        if {name.partition(".")[0] for name in imported(path)} & {"mcp", "mcp_types", "starlette", "anyio"}
    }
    assert using == {"portal/mcp/protocol.py"}
    assert [path for path in sources if "portal.mcp.protocol" in imported(path)] == []
