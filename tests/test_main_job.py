"""The main job on real processes: a document, findings, tickets, a turn of an agent, a gate, a deployment.

Web, one worker of each pool and beat run as they do in an installation; a
person signs in, sends forms and follows the live socket. Nothing is mocked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests import factories
from tests.engines import children
from tests.engines.stack import Stack
from tests.engines.visitor import Visitor, frames

pytestmark = pytest.mark.processes
EXAMPLE = Path(__file__).resolve().parent.parent / "workers" / "agents" / "examples" / "editing_agent.py"
# In the forms of the seeds, in words of our own: a table with keys, and headings under severities.
TABLE = b"""Date: 2026-01-05 Type: Code Review Reviewer: A. Reader

3 issues found. 1 CRITICAL, 2 MINOR.

| Ticket | Severity | Category | Title |
|---|---|---|---|
| LN-7 | CRITICAL | Race Condition | Two workers may take one parcel from the shelf |
| LN-8 | MINOR | Reliability | A lost label is printed without a warning |
| LN-9 | MINOR | Architecture | The shelf map is built in two places |
"""
HEADINGS = b"""# Depot review v2

**Status:** ALL 2 ISSUES FIXED

## HIGH

### H1. The lift starts before the door is shut -- FIXED

**Files:** `depot/lift.py:10`

The interlock is read once, at the start.

## LOW

### L1. The lamp of bay 4 is never tested -- FIXED

**Fix:** It is tested each morning.
"""


@pytest.fixture(scope="module")
def running(stack: Stack) -> Stack:
    stack.everything()
    return stack


@pytest.fixture(scope="module")
def world(running: Stack) -> factories.World:
    # Signed in through the real door, which knows the product's hashes alone.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        return factories.world()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "depot"
    folder.mkdir()
    for arguments in (
        ["init", "-q", "-b", "main"],
        ["config", "user.email", "depot@example.org"],
        ["config", "user.name", "Depot"],
        ["commit", "-q", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)
    return folder


def test_a_document_becomes_tickets_and_ships_only_when_its_critical_finding_is_answered(
    running: Stack, world: factories.World, repository: Path
) -> None:
    from reviews.models import Finding

    owner, project = _prepared(running, world, repository)
    review = _uploaded(owner, TABLE, "table.md", "Shelf")
    assert _states(review) == {"critical": 1, "low": 2}
    fixed = _uploaded(owner, HEADINGS, "headings.md", "Depot")
    assert set(Finding.objects.filter(occurrences__review=fixed).values_list("state", flat=True)) == {"fixed"}

    held = _deploy(owner, project)
    children.wait_for("the gate", lambda: _state(held) != "preparing", seconds=40)
    assert held.state == "waiting_gate"
    assert "Two workers may take one parcel" in owner.get(f"/deployments/{held.pk}/").text

    critical = Finding.objects.get(occurrences__review=review, severity="critical")
    owner.get(f"/reviews/{review.pk}/")
    made = owner.post(f"/reviews/{review.pk}/tickets/", {"finding": critical.pk})
    assert made.status == 200
    ticket = Finding.objects.select_related("ticket").get(pk=critical.pk).ticket
    assert ticket is not None
    assert ticket.key == "MC-1"
    _worked(running, owner, ticket)
    critical.refresh_from_db()
    assert (critical.state, critical.answer) == ("fixed", "Fixed by MC-1.")

    shipped = _deploy(owner, project)
    children.wait_for("the deployment", lambda: _state(shipped) in {"succeeded", "failed"}, seconds=60)
    assert shipped.state == "succeeded"
    page = owner.get(f"/deployments/{shipped.pk}/").text
    assert "shipping from the shelf" in page


@pytest.mark.parametrize(("seed", "found"), [("000", 19), ("003", 15)])
def test_a_seed_is_read_from_its_upload_to_its_findings(
    running: Stack, world: factories.World, shared_dir: Path, seed: str, found: int
) -> None:
    document = next((shared_dir / "seeds").glob(f"{seed}_*.txt"))
    owner = Visitor(running.base_url)
    owner.sign_in(world.owner.email, factories.PASSWORD)
    review = _uploaded(owner, document.read_bytes(), document.name, f"Seed {seed}")
    assert bytes(review.content) == document.read_bytes()
    assert review.occurrences.count() == found
    assert owner.get(f"/reviews/{review.pk}/").status == 200
    again = _post_document(owner, document.read_bytes(), document.name, f"Seed {seed}")
    assert again.path == f"/reviews/{review.pk}/", "the same document again is the same review"


def test_a_turn_that_says_done_without_a_commit_is_unproven(
    running: Stack, world: factories.World, repository: Path
) -> None:
    ticket = _given_to(running, world, repository, "idle_agent.py")
    children.wait_for("the turn", lambda: _state(ticket) not in {"queued", "running"}, seconds=60)
    assert (ticket.state, ticket.turns.get().state, ticket.turns.get().proven) == ("unproven", "done", False)


def test_a_turn_that_fails_is_tried_again_and_then_stands_where_a_person_sees_it(
    running: Stack, world: factories.World, repository: Path
) -> None:
    ticket = _given_to(running, world, repository, "failing_agent.py")
    children.wait_for("the last turn", lambda: _state(ticket) == "failed", seconds=90)
    turns = list(ticket.turns.order_by("seq"))
    assert [turn.state for turn in turns] == ["failed"] * 3
    assert len({turn.nonce for turn in turns}) == 3, "a retry is a new turn with a new nonce"
    owner = Visitor(running.base_url)
    owner.sign_in(world.owner.email, factories.PASSWORD)
    assert ticket.key in owner.get("/").text


def _given_to(running: Stack, world: factories.World, repository: Path, program: str) -> Any:
    """A new ticket, assigned to an example agent."""
    from tickets import work
    from tickets.models import Project
    from workers.models import Agent, AgentVersion

    Project.objects.filter(pk=world.mc.pk).update(repository=str(repository))
    project = Project.objects.get(pk=world.mc.pk)
    agent = Agent.objects.create(name=program.partition(".")[0].replace("_", "-"))
    command = [sys.executable, "-I", str(EXAMPLE.with_name(program))]
    AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", trusted=True, command=command, wall_seconds=60, silence_seconds=60
    )
    return work.assign(work.create_ticket(project, title=f"For the {agent.name}"), agent)


def _prepared(running: Stack, world: factories.World, repository: Path) -> tuple[Visitor, Any]:
    """The owner signed in; the project with a repository, a service and an environment; an agent."""
    from deployments import places
    from deployments.intake import StepSpec
    from tickets.models import Project
    from workers.models import Agent, AgentVersion

    Project.objects.filter(pk=world.mc.pk).update(repository=str(repository))
    project = Project.objects.get(pk=world.mc.pk)
    step = StepSpec(kind="command", name="Ship", command=["printf", "shipping from the %s\\n", "shelf"])
    places.add_service(project, name="shelf", steps=[step])
    places.add_environment(project, name="depot")
    agent = Agent.objects.create(name="example")
    AgentVersion.objects.create(
        agent=agent,
        number=1,
        adapter="plain",
        trusted=True,
        command=[sys.executable, "-I", str(EXAMPLE)],
        wall_seconds=60,
        silence_seconds=60,
    )
    owner = Visitor(running.base_url)
    owner.sign_in(world.owner.email, factories.PASSWORD)
    return owner, project


def _post_document(owner: Visitor, content: bytes, name: str, series: str) -> Any:
    owner.get("/reviews/new/")
    return owner.post("/reviews/new/", {"project": "MC", "series": series, "text": ""}, {"file": (name, content)})


def _uploaded(owner: Visitor, content: bytes, name: str, series: str) -> Any:
    """Upload, wait for the plan, apply it; the review."""
    from reviews.models import Review

    page = _post_document(owner, content, name, series)
    assert page.path.startswith("/reviews/"), page.text[:2000]
    review = Review.objects.get(pk=int(page.path.split("/")[2]))
    children.wait_for("the reading", lambda: _state(review) != "received", seconds=40)
    assert review.state == "planned", review.error
    owner.get(f"/reviews/{review.pk}/")
    applied = owner.post(f"/reviews/{review.pk}/apply/", {"expected_version": review.version})
    assert applied.status == 200
    assert _state(review) == "applied"
    return review


def _worked(running: Stack, owner: Visitor, ticket: Any) -> None:
    """Assign the agent while the ticket's page is followed; accept what it did."""
    from workers.models import Agent

    page = owner.get(f"/tickets/{ticket.key}/")
    with owner.socket() as socket:
        socket.send(json.dumps({"type": "follow", "stream": ticket.subject, "cursor": None}))
        frames(socket, until=lambda frame: frame.get("type") in {"following", "resync"}, seconds=10)
        owner.post(
            f"/tickets/{ticket.key}/assign/",
            {
                "agent": Agent.objects.get(name="example").pk,
                "expected_version": page.hidden("expected_version", form="assign"),
            },
        )
        seen = frames(
            socket, until=lambda frame: frame.get("object") == ticket.subject and frame["version"] >= 4, seconds=60
        )
        versions = [frame["version"] for frame in seen if frame.get("object") == ticket.subject]
        assert versions == [2, 3, 4], "queued, running and in review were each told, in order, once"
        assert _state(ticket) == "in_review"
        turn = ticket.turns.get()
        socket.send(json.dumps({"type": "follow", "stream": f"output:{turn.attempt_id}", "cursor": None}))
        frames(socket, until=lambda frame: frame.get("type") in {"following", "resync", "output"}, seconds=10)
    assert turn.proven
    assert (turn.state, turn.exit_code) == ("done", 0)
    page = owner.get(f"/tickets/{ticket.key}/")
    assert "Committed" in page.text, "the output of the turn is on the page"
    accepted = owner.post(
        f"/tickets/{ticket.key}/accept/",
        {"reason": "Read the diff.", "expected_version": page.hidden("expected_version", form="accept")},
    )
    assert accepted.status == 200
    children.wait_for("the merge", lambda: _state(ticket) == "done", seconds=60)
    assert ticket.accepted_commit == turn.head_commit
    assert ticket.merged_commit == _git(ticket.project.repository, "rev-parse", "main"), "the team's branch has it"


def _git(folder: str, *arguments: str) -> str:
    argv = ["git", "-C", folder, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def _deploy(owner: Visitor, project: Any) -> Any:
    from deployments.models import Deployment

    owner.get("/deployments/new/")
    service, environment = project.services.get(), project.environments.get()
    page = owner.post("/deployments/new/", {"service": service.pk, "environment": environment.pk, "asked": ""})
    assert page.status == 200, page.text[:2000]
    return Deployment.objects.latest("pk")


def _states(review: Any) -> dict[str, int]:
    from reviews.models import Finding

    severities = Finding.objects.filter(occurrences__review=review, state="open").values_list("severity", flat=True)
    return {severity: list(severities).count(severity) for severity in set(severities)}


def _state(row: Any) -> str:
    row.refresh_from_db()
    return str(row.state)
