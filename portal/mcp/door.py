"""The door of the MCP endpoint: one address, POST alone, the credential of a running turn and nothing else.

No cookie opens it, no token of a person, and no token in the address. What
the credential opens is asked of the database for each request; what a tool
writes asks once more, under the lock of the turn's job.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import Error as DatabaseFailure
from django.http.request import split_domain_port, validate_host

from portal.core import cause
from portal.core.bodies import Application, Message, Receive, Scope, Send
from portal.core.cause import Actor
from tickets import credentials
from tickets.models import Turn
from tickets.transitions import TURN

log = structlog.get_logger(__name__)
ADDRESS: Final = "/mcp"
UNKNOWN: Final = "Send the credential of a turn that is running: Authorization: Bearer srm_turn_..."


class Barred(Exception):
    """A request that does not get in: its status, a code, and a sentence."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        self.status, self.code, self.message, self.headers = status, code, message, headers
        super().__init__(message)


def beside(application: Application) -> Application:
    """``application``, with the endpoint at its address."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        await (enter if scope.get("path") == ADDRESS else application)(scope, receive, send)

    return routed


def most_bytes() -> int:
    """Of a request: the largest file as base64, with room for what stands around it."""
    return settings.LIMITS["ATTACHMENT_MAX_BYTES"] * 4 // 3 + 1_048_576


async def enter(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, in threads of its own as Django answers one."""
    request_id = cause.new_request_id()

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = [(b"x-request-id", request_id.encode()), (b"cache-control", b"no-store")]
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() != b"cache-control"]
            message = {**message, "headers": [*kept, *more]}
        await send(message)

    try:
        async with ThreadSensitiveContext():
            try:
                turn = await _speaker(scope)
                await _serve(turn, request_id, scope, await _whole(receive), named)
            finally:
                await sync_to_async(request_finished.send)(sender=enter)
    except Barred as barred:
        await _refuse(barred, request_id, named)


async def _speaker(scope: Scope) -> Turn:
    """The turn that asks. Raises ``Barred``."""
    if scope["method"] != "POST":
        raise Barred(405, "method", "POST alone is answered here.", allow="POST")
    headers = scope["headers"]
    host, origin = _one(headers, b"host"), _one(headers, b"origin")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        raise Barred(421, "host", "This is not the host that was asked for; see ALLOWED_HOSTS.")
    if origin and origin not in settings.ORIGINS:
        raise Barred(403, "origin", "A page of another origin is not answered.")
    scheme, _, token = _one(headers, b"authorization").partition(" ")
    try:
        turn = await sync_to_async(_find)(token.strip()) if scheme.lower() == "bearer" else None
    except DatabaseFailure:
        log.exception("credential_not_looked_up")
        raise Barred(503, "unavailable", "The database does not answer. Try again in a while.") from None
    if turn is None:
        raise Barred(401, "sign_in", UNKNOWN, **{"www-authenticate": "Bearer"})
    return turn


def _find(token: str) -> Turn | None:
    # What Django does around a request: a connection that is dead, or too old, is not used.
    request_started.send(sender=enter)
    return credentials.find(token)


def _one(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """The header, unless it is missing or sent twice."""
    found = [value for key, value in headers if key.lower() == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


async def _whole(receive: Receive) -> Receive:
    """The body, read here: what bounds it raises, and the library would hand that on as something else."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    waiting: list[Mapping[str, Any]] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _serve(turn: Turn, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    # In a thread: the first import takes a while, in which others are answered.
    protocol = await sync_to_async(importlib.import_module, thread_sensitive=False)("portal.mcp.protocol")
    agent = turn.agent_version.agent
    actor = Actor("agent", str(agent.pk), agent.name)
    because, from_job = TURN.subject(turn), turn.attempt.job.cause.get("request_id", "")
    with cause.acting(actor, because=because, request_id=str(from_job) or request_id):
        await protocol.serve(turn, most_bytes(), scope, receive, send)


async def _refuse(barred: Barred, request_id: str, send: Send) -> None:
    error = {"code": barred.code, "field": "", "message": barred.message, "request_id": request_id}
    body = json.dumps({"error": error}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **barred.headers}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": barred.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
