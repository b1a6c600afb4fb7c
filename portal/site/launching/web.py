"""The web process: ``python -m portal.site.launching.web HOST PORT``, uvicorn that drains before it stops.

SIGTERM begins the drain; when its time is over, nothing more is accepted, what
runs is finished, WebSockets are closed with 1012 (this service restarts), and
the process ends. A second SIGTERM, or SIGINT, ends the drain at once.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from django.conf import settings

from portal.core import draining

# What uvicorn would configure is configured by the settings: one form of log line, redacted.
LOGGING: Final = Path(__file__).with_name("uvicorn_logging.json")
log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self.started and not draining.begun() and draining.begin():
            # As uvicorn notes it: the process then ends by the signal that it was sent.
            self._captured_signals.append(sig)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's, asked ten times a second."""
        if draining.begun() and not self._said:
            self._said = True
            log.info("Not ready any more: it answers for %s s more, then stops.", settings.LIMITS["WEB_DRAIN_SECONDS"])
        return await super().on_tick(counter) or draining.over()

    _said = False


def config(host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        "portal.asgi:application",
        host=host,
        port=port,
        ws="websockets-sansio",
        ws_max_size=settings.LIMITS["SOCKET_FRAME_BYTES"],
        ws_per_message_deflate=False,
        access_log=False,
        server_header=False,
        log_config=str(LOGGING),
        timeout_graceful_shutdown=max(1, settings.LIMITS["GRACEFUL_STOP_SECONDS"] - 2),
    )


def main(argv: list[str]) -> int:
    server = Server(config(argv[1], int(argv[2])))
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    # As uvicorn's own command line: an application that cannot start.
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv))
