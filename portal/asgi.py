"""The web application, behind the schema guard, for any ASGI server that imports this module."""

import os

import django
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

from portal.core.bodies import BoundedBodies
from portal.core.guard.refusal import Guarded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)


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


application = Guarded(build)
