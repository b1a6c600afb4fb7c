"""The web application while the schema is wrong: every page says so, and it looks again.

Nothing is looked at when the module is imported: a server imports inside its
event loop. The first look is at the lifespan's start, or at the first request
of a server that knows no lifespan; until a look found the schema right, the
real application does not exist.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.template import Context, Engine
from django.utils import timezone
from django.utils.safestring import mark_safe

import portal
from portal.core.guard import presence, wording
from portal.core.guard.answer import Answer, Report, as_json, look
from portal.core.guard.compare import Weight
from portal.core.guard.entrances import announce

LOOK_EVERY_SECONDS: Final = 5.0
_JSON: Final = "application/json"
ROWS_SHOWN: Final = 100
_TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
_STYLE: Final = (_TEMPLATES / "schema.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ENGINE: Final = Engine(dirs=[str(_TEMPLATES)])
_HEADINGS: Final = {
    "database_down": "Shiproom waits: the database does not answer",
    "schema_empty": "Shiproom has not started: the database is empty",
}
_ICONS: Final = {"Ahead": "i-plus", "Behind": "i-plus"}
_TONES: Final = {Weight.REFUSE: "bad", Weight.WARN: "warn", Weight.EXPLAINED: "wait"}
# Try again later (websockets' registry of close codes).
_CLOSE_CODE: Final = 1013
Scope = Any
Receive = Callable[[], Any]
Send = Callable[[Any], Any]
Application = Callable[[Scope, Receive, Send], Any]


class Guarded:
    """An ASGI application that becomes what ``build`` returns once the guard lets it.

    ``warm`` is waited for before it serves.
    """

    def __init__(self, build: Callable[[], Application], warm: Callable[[Any], Awaitable[None]] | None = None) -> None:
        self._build = build
        self._warm = warm
        self._real: Application | None = None
        self._report: Report | None = None
        self._since = self._looked = timezone.now()
        self._next_look = 0.0
        self._looking = asyncio.Lock()
        # Held here, so that it lives as long as the application.
        self._presence: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._real is None and scope["type"] == "http" and scope["path"] == "/livez":
            await _respond(scope, send, _JSON, json.dumps({"status": "alive"}), status=200)
        elif real := self._real or await self._admitted():
            await real(scope, receive, send)
        elif scope["type"] == "http":
            await self._refuse(scope, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _CLOSE_CODE, "reason": "schema"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._leave()
                await send({"type": "lifespan.shutdown.complete"})
                return
            try:
                await self._admitted()
            except Exception:
                # Code that cannot be built is no matter of the schema: the server has to stop.
                await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
                return
            await send({"type": "lifespan.startup.complete"})

    async def _admitted(self) -> Application | None:
        """The real application if it may serve; looks again when the last look is old."""
        async with self._looking:
            if self._real is None and time.monotonic() >= self._next_look:
                # A thread of its own: the look may wait for a database that does not answer.
                report = await sync_to_async(self._look, thread_sensitive=False)()
                self._next_look = time.monotonic() + LOOK_EVERY_SECONDS
                if report.may_start:
                    real = self._build()
                    if self._warm is not None:
                        await self._warm(real)
                    self._real = real
                    self._presence = asyncio.create_task(presence.stay())
        return self._real

    async def _leave(self) -> None:
        if self._presence is not None:
            self._presence.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._presence

    def _look(self) -> Report:
        before, self._report = self._report, look()
        self._looked = timezone.now()
        # Said once for each new answer, not every five seconds.
        if before is None or (before.code, before.may_start) != (self._report.code, self._report.may_start):
            self._since = self._looked
            announce("web", self._report)
        return self._report

    async def _refuse(self, scope: Scope, send: Send) -> None:
        assert self._report is not None
        wants_json = b"application/json" in dict(scope["headers"]).get(b"accept", b"")
        said = {"code": self._report.code, "message": self._report.sentence}
        if scope["path"] == "/readyz":
            missing = "database" if self._report.answer is Answer.DOWN else "schema"
            await _respond(scope, send, _JSON, json.dumps({"status": "unready", "missing": [missing]} | said))
        elif scope["path"] == "/status.json":
            status = {"version": portal.__version__, "answer": "broken", "schema": as_json(self._report)}
            await _respond(scope, send, _JSON, json.dumps(status))
        elif wants_json:
            await _respond(scope, send, _JSON, json.dumps({"error": said}))
        else:
            page = render(self._report, self._since, self._looked)
            await _respond(scope, send, "text/html; charset=utf-8", page)


async def _respond(scope: Scope, send: Send, kind: str, content: str, status: int = 503) -> None:
    body = content.encode()
    headers = {
        "content-type": kind,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }
    if status == 503:
        headers["retry-after"] = str(round(LOOK_EVERY_SECONDS))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def render(report: Report, since: datetime, looked: datetime) -> str:
    """The page: no database, no static file, no script."""
    found = [
        {"what": what, "expects": expects, "has": has, "tone": _TONES[weight], "icon": _ICONS.get(what, "i-db")}
        for weight, (what, expects, has) in wording.rows(report)
    ]
    values = {
        "heading": _HEADINGS.get(report.code, "Shiproom has not started: the database is not what the code expects"),
        "report": report,
        "rows": found[:ROWS_SHOWN],
        "more": max(0, len(found) - ROWS_SHOWN),
        "since": since,
        "looked": looked,
        "version": portal.__version__,
        "style": mark_safe(_STYLE),
    }
    return _ENGINE.get_template("schema.html").render(Context(values))
