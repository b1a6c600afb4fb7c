"""Turns whose agents speak by tools: real web, real workers, real git, and the official client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.engines import children
from tests.engines.stack import Stack
from tests.portal.mcp.speaker import running
from tests.tickets.workshop import GOOD, SCRIPT, Workshop, newest
from tickets import questions, work
from tickets.models import Attachment, Message, Question, Ticket, Turn
from workers.models import Agent, AgentVersion, AttemptOutput

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180), pytest.mark.once]
PROGRAM = Path(__file__).resolve().parents[3] / "workers" / "agents" / "examples" / "tooling_agent.py"


@pytest.fixture(scope="module")
def stack(
    open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with open_stack(DATA_DIR=str(tmp_path_factory.mktemp("data")), LOOK_INTERVAL_SECONDS="1") as found:
        found.web()
        found.worker("turns", 1)
        found.worker("short", 1)
        yield found


@pytest.fixture(scope="module")
def world(stack: Stack) -> factories.World:
    return factories.world()


@pytest.fixture
def shop(world: factories.World, tmp_path: Path) -> Workshop:
    return Workshop(world.mc, tmp_path)


def given(shop: Workshop, name: str, *command: str) -> Ticket:
    """A ticket at which an agent with this command works."""
    agent, _ = Agent.objects.get_or_create(name=name)
    AgentVersion.objects.create(
        agent=agent, number=agent.versions.count() + 1, adapter="plain", trusted=True,
        command=[sys.executable, "-I", *command], wall_seconds=60, silence_seconds=60,
        max_failures=1,
    )  # fmt: skip
    return work.assign(shop.ticket(), agent)


def ended(ticket: Ticket, *states: str) -> Ticket:
    def there() -> bool:
        ticket.refresh_from_db()
        return ticket.state in states

    children.wait_for(f"{ticket.key} {states}", there, seconds=60)
    return ticket


def test_an_agent_works_a_ticket_by_its_tools_and_its_done_is_measured(stack: Stack, shop: Workshop) -> None:
    ticket = given(shop, "tooling", str(PROGRAM), "--propose", "The hinge is loose")
    ended(ticket, "in_review", "unproven", "failed")
    turn = newest(ticket)
    assert (ticket.state, turn.proven, turn.signal) == ("in_review", True, "DONE"), turn.verdict
    assert turn.progress == f"Read {ticket.key}; looking at what was said."
    bodies = list(Message.objects.filter(ticket=ticket).order_by("number").values_list("body", flat=True))
    assert bodies == [
        f"Committed {turn.head_commit}.",
        f"noted the task in WORKLOG.md, in commit {turn.head_commit}",
    ]
    assert Attachment.objects.get(ticket=ticket).uploader_label == "tooling"
    review = shop.project.series.get(name="Proposed by agents").reviews.get()
    children.wait_for("the plan", lambda: type(review).objects.filter(pk=review.pk, state="planned").exists())
    assert turn.credential == ""
    said = "".join(AttemptOutput.objects.filter(attempt=turn.attempt).values_list("text", flat=True))
    assert "get_ticket: " in said and "srm_turn" not in said


def test_an_agent_asks_by_a_tool_and_goes_on_with_the_answer(
    stack: Stack, shop: Workshop, world: factories.World
) -> None:
    ticket = ended(given(shop, "tooling", str(PROGRAM), "--ask"), "needs_person", "failed")
    question = Question.objects.get(ticket=ticket)
    assert [option["label"] for option in question.options] == ["At the end", "At the top"]
    questions.answer(question, by=world.operator, choice=0, text="")
    ended(ticket, "in_review", "unproven", "failed", "needs_person")
    assert (ticket.state, ticket.turns.count()) == ("in_review", 2), newest(ticket).verdict


TOLD = """
import json, os, urllib.request
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "finish", "arguments": %s}}
headers = {"Authorization": "Bearer " + os.environ["SHIPROOM_MCP_TOKEN"], "Content-Type": "application/json",
           "Accept": "application/json, text/event-stream"}
urllib.request.urlopen(urllib.request.Request(os.environ["SHIPROOM_MCP_URL"], json.dumps(body).encode(), headers))
"""


@pytest.mark.parametrize(
    ("told", "more", "states", "verdict"),
    [
        ("DONE", [["signal", "DONE", "Twice."]], ("in_review",), "The agent signalled DONE."),
        ("BLOCKED", [["signal", "DONE", "No."]], ("failed",), "Protocol error: the agent signalled more than once."),
        ("DONE", [["exit", 3]], ("failed",), "The agent exited with code 3. It had signalled DONE."),
    ],
)
def test_what_a_tool_said_is_judged_with_all_that_a_signal_line_is(
    stack: Stack, shop: Workshop, told: str, more: list[Any], states: tuple[str, ...], verdict: str
) -> None:
    program = TOLD % json.dumps({"signal": told, "payload": "By a tool."})
    steps = [*GOOD[:2], ["run", sys.executable, "-I", "-c", program], *more]
    ticket = given(shop, "scripted", str(SCRIPT), json.dumps(steps))
    ended(ticket, "in_review", "unproven", "failed", "blocked")
    assert (ticket.state in states, newest(ticket).verdict) == (True, verdict)


def test_the_official_client_lists_the_tools_and_uses_them(stack: Stack, world: factories.World) -> None:
    """Both protocols that are spoken: the one with a handshake, and the one without."""
    from portal.mcp.offered import TOOLS

    agent = running(world.mc)
    assert asyncio.run(_with_a_handshake(stack.base_url, agent.token)) == (list(TOOLS), agent.turn.ticket.key)
    assert asyncio.run(_without_one(stack.base_url, agent.token)) == (
        list(TOOLS),
        "finish takes no argument named commit. There are: signal, payload.",
    )
    agent.turn.refresh_from_db()
    assert (agent.turn.signal, agent.turn.signal_payload) == ("BLOCKED", "The key is lost.")
    Turn.objects.filter(pk=agent.turn.pk).update(state="done")
    with pytest.raises(ExceptionGroup):
        asyncio.run(_with_a_handshake(stack.base_url, agent.token))


async def _with_a_handshake(base: str, token: str) -> tuple[list[str], str]:
    from mcp import ClientSession

    async with _connected(base, token) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        names = [tool.name for tool in (await session.list_tools()).tools]
        ticket = await session.call_tool("get_ticket", {})
        return names, json.loads(ticket.content[0].text)["key"]


async def _without_one(base: str, token: str) -> tuple[list[str], str]:
    from mcp import Client

    async with Client(_connected(base, token)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        wrong = await client.call_tool("finish", {"signal": "DONE", "commit": "x"})
        done = await client.call_tool("finish", {"signal": "BLOCKED", "payload": "The key is lost."})
        assert (wrong.is_error, done.is_error) == (True, False)
        return names, wrong.content[0].text


@asynccontextmanager
async def _connected(base: str, token: str) -> AsyncIterator[Any]:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        streamable_http_client(f"{base}/mcp", http_client=http) as streams,
    ):
        yield streams
