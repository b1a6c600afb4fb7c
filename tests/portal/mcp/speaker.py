"""A running turn, and its agent: JSON-RPC by hand, to the ASGI door in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from portal.core.bodies import BoundedBodies
from portal.core.clock import Wall
from tests.tickets import build
from tickets import credentials
from tickets.models import Project, Purpose, Ticket, Turn
from workers.models import AgentVersion, Attempt, Job

HOST = "127.0.0.1"
HEADERS = {
    "host": HOST,
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18",
}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    """What a tool answered: ``refused`` with a sentence, or what it gave."""

    refused: bool
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Speaker:
    """The agent of ``turn``, with its token."""

    turn: Turn
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, /, **given: Any) -> Said:
        reply = self.rpc("tools/call", {"name": name, "arguments": given})
        assert reply.status == 200, reply
        result = reply.json["result"]
        [content] = result["content"]
        return Said(result.get("isError", False), content["text"])

    def rpc(self, method: str, params: dict[str, Any] | None = None) -> Reply:
        return self.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode())

    def send(self, body: bytes) -> Reply:
        return ask(body, {"authorization": f"Bearer {self.token}", **self.headers})


def ask(
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    query: bytes = b"",
    most: int = 100_000_000,
) -> Reply:
    """One request, whose body has at most ``most`` bytes; the headers replace those that every client sends."""
    from portal.mcp import door

    sent = HEADERS | (headers or {})
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": door.ADDRESS, "raw_path": b"/mcp",
        "root_path": "", "scheme": "http", "query_string": query, "client": (HOST, 1), "server": (HOST, 8000),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    found: list[Any] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        found.append(message)

    with _connection_kept():
        async_to_sync(BoundedBodies(door.enter, most))(scope, receive, send)
    begins, *rest = found
    said = {name.decode(): value.decode() for name, value in begins["headers"]}
    return Reply(begins["status"], said, b"".join(part.get("body", b"") for part in rest))


@contextmanager
def _connection_kept() -> Iterator[None]:
    """The connection holds the test's transaction; Django's own client keeps it in the same way."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def running(of: Project | Ticket, *, purpose: Purpose = Purpose.WORK) -> Speaker:
    """A ticket of the project, or this one, whose turn runs under a claim that is held."""
    ticket = of if isinstance(of, Ticket) else build.ticket(of, "running")
    version = AgentVersion.objects.first() or AgentVersion.objects.get(agent=build.agent("mender"))
    job = Job.objects.create(
        kind="turn", pool="turns", subject=ticket.subject, audience=ticket.project.scope, state="running", fence=1,
        worker="w", lease_until=Wall(60), payload={"ticket": ticket.pk}, cause={"request_id": "r" * 20},
    )  # fmt: skip
    attempt = Attempt.objects.create(job=job, fence=1, worker="w", outcome="running")
    token = credentials.mint()
    seq = ticket.turns.count() + 1
    turn = Turn.objects.create(
        ticket=ticket, seq=seq, attempt=attempt, agent_version=version, purpose=purpose, nonce=f"nonce-{ticket.pk}",
        state="running", base_commit=build.BASE, credential=credentials.digest(token),
    )  # fmt: skip
    return Speaker(turn, token)
