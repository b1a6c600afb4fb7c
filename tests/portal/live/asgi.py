"""The ASGI application of the tests: sockets over the streams of ``world``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from channels.routing import ProtocolTypeRouter
from django.conf import settings

LAYERS: dict[str, dict[str, Any]] = {
    "dropping": {"BACKEND": "tests.portal.live.world.DroppingLayer"},
    "absent": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": ["unix:///nonexistent/valkey.sock"], "prefix": "shiproom"},
    },
}
if os.environ.get("TEST_LAYER"):
    settings.CHANNEL_LAYERS = {"default": LAYERS[os.environ["TEST_LAYER"]]}
django.setup()

from portal.live import hub  # noqa: E402
from portal.live.routing import websocket_application  # noqa: E402
from tests.portal.live import world  # noqa: E402

STATIC = Path(__file__).resolve().parents[3] / "portal" / "live" / "static" / "live"
PAGE = """<!doctype html><html lang="en"><title>Live</title><body>
<span data-live-badge>Connecting</span>
<div id="a" data-live="room:1.a" data-live-cursor="-:0" data-live-url="/fragment">%s</div>
<pre id="out" data-live="text:1" data-live-cursor="-:0" data-live-output data-live-lines="5"></pre>
<script type="module" src="/static/live.js"></script></body></html>"""
CONTENT = """<p id="count">%d</p><input id="field" aria-label="Field">
<details id="fold"><summary>More</summary></details>
<button id="button" type="button">Button</button>"""
POLICY = b"default-src 'self'; object-src 'none'; base-uri 'none'"


def content() -> str | None:
    """How many events there are; nothing once the stream ``room:1.end`` has one."""
    if world.head("room:1.end"):
        return None
    return CONTENT % world.head("room:1.a")


async def pages(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A page with live elements, and what it loads, under a strict policy."""
    status, kind, text = 200, b"text/html", ""
    if scope["path"].startswith("/static/"):
        kind, text = b"text/javascript", (STATIC / scope["path"].rpartition("/")[2]).read_text()
    elif scope["path"].startswith("/fragment"):
        found = await hub.here().doors.run(content)
        status, text = (200, found) if found is not None else (404, "")
    else:
        text = PAGE % (CONTENT % 0)
    headers = [(b"content-type", kind), (b"content-security-policy", POLICY)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


world.register()
application = ProtocolTypeRouter({"http": pages, "websocket": websocket_application})
