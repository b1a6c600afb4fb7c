"""What the docs say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from portal.core import access, diagrams, limits

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def test_every_setting_is_in_the_operations_page() -> None:
    source = (ROOT / "portal" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'\b(?:text|flag|number)\("([A-Z_]+)"', source))
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    assert names, "the settings module reads its variables in another way now"
    assert {name for name in names if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("limit", limits.ALL, ids=lambda limit: limit.name)
def test_the_operations_page_states_each_limit_as_it_is(limit: limits.Limit) -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    assert f"| `{limit.name}` | {limit.default} | {limit.low} to {limit.high} | {limit.meaning} |" in page


def test_the_state_diagrams_are_those_of_the_code() -> None:
    assert (DOCS / "states.md").read_text(encoding="utf-8") == diagrams.document(), (
        "run manage.py state_diagrams --write"
    )


def test_every_operation_of_the_api_is_in_the_api_page() -> None:
    import portal.api.operations as operations

    page = (DOCS / "api.md").read_text(encoding="utf-8")
    paths = {
        f"{method} {path}"
        for path, item in operations.api.get_openapi_schema(path_prefix="")["paths"].items()
        for method in (name.upper() for name in item)
    }
    assert paths
    assert {path for path in paths if f"`{path}`" not in page} == set()
    assert any(operation.door == "api" for operation in access.operations())


def test_the_signal_of_the_agents_page_is_read_as_a_signal() -> None:
    from workers.agents.adapters.events import Signal
    from workers.agents.adapters.plain import PlainAdapter

    page = (DOCS / "agents.md").read_text(encoding="utf-8")
    example = next(line for line in page.splitlines() if line.startswith('{"mc_signal"'))
    said = json.loads(example)
    adapter = PlainAdapter(said["nonce"], said["ticket"])
    events = [*adapter.feed(example.encode() + b"\n"), *adapter.finish()]
    assert [event.kind for event in events if isinstance(event, Signal)] == ["DONE"]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_that_the_docs_name_are_there() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    named = set(re.findall(r"`((?:portal|workers|tickets|reviews|deployments|tests)/[\w/.]+)`", text))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_test_that_the_lessons_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "lessons.md").read_text(encoding="utf-8")))
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", source))
    assert named
    assert named - there == set()
