"""The web application, behind the schema guard, for any ASGI server that imports this module."""

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

import django
import structlog
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

from portal.core import revision
from portal.core.bodies import BoundedBodies
from portal.core.draining import Leaving

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

# It names models, and apps are set up first.
from portal.core.guard.refusal import Guarded  # noqa: E402

log = structlog.get_logger(__name__)


def build() -> ProtocolTypeRouter:
    """The real application. Called only once the schema is right."""
    # One file of its bound, with a text beside it, always has room.
    most = max(settings.LIMITS["UPLOAD_MAX_BYTES"], settings.LIMITS["ATTACHMENT_MAX_BYTES"] + 1_048_576)
    # Here, not above: they name models, and apps are set up first.
    from portal.live.routing import websocket_application
    from portal.mcp import door

    http = BoundedBodies(
        door.beside(get_asgi_application()),
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        larger={
            r"(/api/v1)?/tickets/[^/]+/.+": most,
            r"/admin/tickets/ticket/[^/]+/do/attach/": most,
            # The form itself says how long a document may be, beside what was typed.
            r"/reviews/new/|/admin/reviews/review/add/": most,
            door.ADDRESS: door.most_bytes(),
        },
        seconds=settings.LIMITS["UPLOAD_SECONDS"],
    )
    return ProtocolTypeRouter({"http": http, "websocket": websocket_application})


async def warm(application: ProtocolTypeRouter) -> None:
    """Answer one request before the first one comes: a page's imports and templates take a second, once."""
    page = "/accounts/login/"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": page,
        "raw_path": page.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", urlsplit(settings.BASE_URL).netloc.encode()), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 0),
        "server": (settings.HOST, settings.PORT),
    }
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        # Nobody hangs up: who asks for more waits until the answer is made.
        return asked.pop() if asked else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        pass

    try:
        await application(scope, receive, send)
    except Exception:
        # Without its static files no page can be made, and whoever asks is told: that is no reason to answer nothing.
        log.exception("first_page_failed")


# Now: later the files may be those of another commit.
revision.running()
application = Leaving(Guarded(build, warm))
