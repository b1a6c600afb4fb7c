"""Wake-ups: Celery messages that say only "look".

The database is the queue, so a message may be lost, doubled or late. It is
published after the commit, coalesced by a flag in the broker, with timeouts
of two seconds at most; a broker that is down or paused costs one such wait,
then none for a while. Workers look by themselves every few seconds anyway.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final

import structlog
from celery import current_app
from kombu import Connection

from portal.core import unit

log = structlog.get_logger(__name__)
FLAG_SECONDS: Final = 5
PUBLISH_TIMEOUT_SECONDS: Final = 2
REST_SECONDS: Final = 5


class _Publisher:
    """One broker connection of this process, opened at the first wake-up."""

    def __init__(self) -> None:
        self.pid = 0
        self.connection: Connection | None = None
        self.resting_until = 0.0

    def announce(self, pool: str) -> bool:
        """Publish unless a wake-up of this pool is on its way. Never raises."""
        if time.monotonic() < self.resting_until:
            return False
        try:
            connection = self._connection()
            channel: Any = connection.default_channel
            if channel.client.set(_flag(pool), 1, nx=True, ex=FLAG_SECONDS):
                current_app.send_task(
                    "workers.drain", kwargs={"pool": pool}, queue=pool, connection=connection, retry=False
                )
            return True
        except Exception as error:
            log.warning("wakeup_not_sent", pool=pool, error=type(error).__name__)
            self.resting_until = time.monotonic() + REST_SECONDS
            self._forget()
            return False

    def clear(self, pool: str) -> None:
        """Before a drain's first claim: a wake-up from now on must be sent."""
        if time.monotonic() < self.resting_until:
            return
        try:
            channel: Any = self._connection().default_channel
            channel.client.delete(_flag(pool))
        except Exception:
            self.resting_until = time.monotonic() + REST_SECONDS
            self._forget()

    def _connection(self) -> Connection:
        if self.connection is None or self.pid != os.getpid():
            options: dict[str, Any] = dict(current_app.conf.broker_transport_options)
            # One try: kombu would go on connecting for seconds, with pauses in between.
            options |= {"max_retries": 0, "socket_timeout": PUBLISH_TIMEOUT_SECONDS}
            options |= {"socket_connect_timeout": PUBLISH_TIMEOUT_SECONDS}
            self.connection = current_app.connection_for_write(transport_options=options)
            self.pid = os.getpid()
        return self.connection

    def _forget(self) -> None:
        if self.connection is not None and self.pid == os.getpid():
            try:
                self.connection.release()
            except Exception:
                log.debug("wakeup_connection_not_closed")
        self.connection = None


_publisher = _Publisher()


def _flag(pool: str) -> str:
    return f"wake:{pool}"


def after_commit(pool: str) -> None:
    """Wake ``pool`` once the open unit of work has committed."""

    def wake() -> None:
        announce(pool)

    unit.current().after_commit(("wake", pool), wake)


def announce(pool: str) -> bool:
    """Whether a wake-up is on its way; false while the broker is left alone."""
    return _publisher.announce(str(pool))


def clear(pool: str) -> None:
    _publisher.clear(str(pool))
