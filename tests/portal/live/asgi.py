"""The ASGI application of the tests: sockets over the streams of ``world``."""

from __future__ import annotations

import os
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

from portal.live.routing import websocket_application  # noqa: E402
from tests.portal.live import world  # noqa: E402

world.register()
application = ProtocolTypeRouter({"websocket": websocket_application})
