"""Each example agent, run as the docs say, to its right end: real workers, real git."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.engines import children
from tests.engines.stack import Stack
from tests.tickets.workshop import Workshop, newest
from tickets import questions, work
from tickets.models import Question, Ticket
from workers.models import Agent, AgentVersion

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180), pytest.mark.once]
EXAMPLES = Path(__file__).resolve().parent.parent / "workers" / "agents" / "examples"


@pytest.fixture(scope="module")
def stack(
    open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("data")
    with open_stack(DATA_DIR=str(folder), LOOK_INTERVAL_SECONDS="1") as found:
        found.worker("turns", 1)
        found.worker("short", 1)
        yield found


@pytest.fixture(scope="module")
def world(stack: Stack) -> factories.World:
    return factories.world()


@pytest.fixture
def shop(world: factories.World, tmp_path: Path) -> Workshop:
    return Workshop(world.mc, tmp_path)


def given(shop: Workshop, program: str, *arguments: str) -> Ticket:
    return work.assign(shop.ticket(), example(program, *arguments))


def example(program: str, *arguments: str) -> Agent:
    agent, _ = Agent.objects.get_or_create(name=program.replace("_", "-"))
    command = [sys.executable, "-I", str(EXAMPLES / f"{program}.py"), *arguments]
    number = agent.versions.count() + 1
    AgentVersion.objects.create(
        agent=agent, number=number, adapter="plain", trusted=True, command=command, wall_seconds=60, silence_seconds=60
    )
    return agent


def ended(ticket: Ticket, *states: str, seconds: float = 60) -> Ticket:
    def there() -> bool:
        ticket.refresh_from_db()
        return ticket.state in states

    children.wait_for(f"{ticket.key} {states}", there, seconds=seconds)
    return ticket


def test_the_editing_agent_edits_checks_commits_and_is_merged(shop: Workshop, world: factories.World) -> None:
    shop.project.checks = [["sh", "-c", "test -s WORKLOG.md && echo 1 passed"]]
    shop.project.save(update_fields=["checks"])
    ticket = ended(given(shop, "editing_agent", "--", "test", "-s", "WORKLOG.md"), "in_review", "unproven", "failed")
    assert (ticket.state, newest(ticket).proven) == ("in_review", True), newest(ticket).verdict
    work.accept(ticket, by=world.owner, reason="")
    ended(ticket, "done")
    assert shop.git("rev-parse", "main") == ticket.merged_commit


def test_the_asking_agent_asks_first_and_works_once_it_is_answered(shop: Workshop, world: factories.World) -> None:
    ticket = ended(given(shop, "asking_agent"), "needs_person", "failed")
    question = Question.objects.get(ticket=ticket)
    assert len(question.options) >= 2
    questions.answer(question, by=world.operator, choice=1, text="And hurry.")
    ended(ticket, "in_review", "unproven", "failed", "needs_person")
    assert (ticket.state, ticket.turns.count(), newest(ticket).proven) == ("in_review", 2, True), newest(ticket).verdict


def test_the_failing_agent_works_at_its_third_turn(shop: Workshop) -> None:
    ticket = ended(given(shop, "failing_agent", "--until", "2"), "in_review", "unproven", "failed", seconds=90)
    assert [turn.state for turn in ticket.turns.order_by("seq")] == ["failed", "failed", "done"]
    assert ticket.state == "in_review"


def test_the_idle_agent_is_unproven(shop: Workshop) -> None:
    assert ended(given(shop, "idle_agent"), "unproven", "in_review", "failed").state == "unproven"


@pytest.mark.parametrize(("arguments", "said"), [((), "done"), (("--refuse", "The log has no date."), "blocked")])
def test_the_approving_agent_reviews_what_another_did(shop: Workshop, arguments: Any, said: str) -> None:
    ticket = ended(given(shop, "editing_agent"), "in_review")
    work.have_reviewed(ticket, example("approving_agent", *arguments))
    ended(ticket, "queued", "running", "in_review")
    children.wait_for("the review", lambda: ticket.turns.filter(purpose="review").exclude(state="running").exists())
    ended(ticket, "in_review")
    assert newest(ticket).state == said, newest(ticket).verdict
