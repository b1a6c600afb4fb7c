"""What the docs say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from portal.core import access, diagrams, limits
from reviews.importing import parse
from tests.browser import tour

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"


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


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_that_the_docs_name_are_there() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in [README, *DOCS.glob("*.md")])
    named = set(re.findall(r"`((?:portal|workers|tickets|reviews|deployments|tests)/[\w/.]+)`", text))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_test_that_the_lessons_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "lessons.md").read_text(encoding="utf-8")))
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", source))
    assert named
    assert named - there == set()


def lessons() -> dict[str, str]:
    """Each row of the lessons, but the heads of their tables, by its first cell."""
    page = (DOCS / "lessons.md").read_text(encoding="utf-8").partition("## Not ours")[0]
    rows = [
        line.strip("| ").split(" | ", 1)
        for line in page.splitlines()
        if re.match(r"\| (?!---|reference |what went wrong |what is sent )", line)
    ]
    assert len(rows) == len({first for first, _ in rows}), "a row stands there twice"
    return {first: rest for first, rest in rows}


def test_every_lesson_names_a_test() -> None:
    assert [first for first, rest in lessons().items() if "`test_" not in rest] == []


@pytest.mark.parametrize(("number", "findings"), [("000", 19), ("001", 0), ("002", 7), ("003", 15), ("004", 34)])
def test_the_lessons_leave_out_no_finding_of_the_five_documents(shared_dir: Path, number: str, findings: int) -> None:
    [document] = (shared_dir / "seeds").glob(f"{number}_*.txt")
    found = parse(document.read_bytes(), name=document.name).findings
    wanted = [finding.ref or f"#{place}" for place, finding in enumerate(found, 1)]
    told = [first.partition(" · ")[2] for first in lessons() if first.startswith(f"{number} · ")]
    assert len(found) == findings
    # What the log tells it tells in prose: no finding of it can be counted.
    assert told == (wanted or [chr(ord("a") + n) for n in range(len(told))])
    assert told


def test_the_lessons_leave_out_no_trap() -> None:
    traps = [first for first in lessons() if re.fullmatch(r"[TS]\d+", first)]
    assert traps == [f"T{n}" for n in range(1, 14)] + [f"S{n}" for n in range(1, 13)]


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", README.read_text(encoding="utf-8")))
    assert {page.name for page in DOCS.glob("*.md")} - linked == set()


def test_the_pictures_are_those_that_the_tour_takes() -> None:
    steps = tour.read(README.read_text(encoding="utf-8"))
    taken = {deed.what for step in steps for deed in step.deeds if deed.kind == "picture"}
    shown = set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8")))
    assert shown == taken, "each is taken, and each is shown"
    assert {f"docs/pictures/{path.name}" for path in (DOCS / "pictures").iterdir()} == taken, "run make pictures"


def test_the_commands_of_the_readme_are_there() -> None:
    blocks = re.findall(r"^```\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = "\n".join(blocks)
    targets = set(re.findall(r"^make ([\w-]+)", commands, re.MULTILINE))
    assert {"up", "test"} <= targets
    assert targets <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"manage\.py (\w+)", commands))
    assert named
    assert named <= set(get_commands())


def test_the_demo_of_the_readme_is_where_it_is_by_default() -> None:
    source = (ROOT / "portal" / "settings.py").read_text(encoding="utf-8")
    ports = set(re.findall(r'number\("DEMO_\w+_PORT", (\d+)', source))
    assert set(re.findall(r"http://127\.0\.0\.1:(\d+)/", README.read_text(encoding="utf-8"))) == ports
