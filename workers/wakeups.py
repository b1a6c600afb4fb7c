"""Wake-ups: Celery messages that say only "look".

The database is the queue, so a message may be lost, doubled or late. It is
published after the commit, coalesced by a flag in the broker, with timeouts
of two seconds at most; a broker that is down or paused costs one such wait,
then none for a while. Workers look by themselves every few seconds anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from celery import current_app
from kombu import Connection

from portal.core import limits, unit
from portal.core.failpoints import Failpoint, reach

log = structlog.get_logger(__name__)
FLAG_SECONDS: Final = 5
PUBLISH_TIMEOUT_SECONDS: Final = 2
REST_SECONDS: Final = 5
# How long a worker that lingers may not see that it was told to stop.
LISTEN_SECONDS: Final = 0.2


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
            if channel.client.publish(_ear(pool), ""):
                # A worker lingers over this pool: it looks now, and wakes others where it finds more than it can do.
                return True
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

    def listener(self, pool: str) -> Any:
        """A subscription to what is announced for ``pool``; None where there is no broker to ask."""
        if time.monotonic() < self.resting_until:
            return None
        heard = None
        try:
            channel: Any = self._connection().default_channel
            heard = channel.client.pubsub(ignore_subscribe_messages=False)
            heard.subscribe(_ear(pool))
            # The answer to the subscription: from now on a publisher counts this worker.
            heard.get_message(timeout=PUBLISH_TIMEOUT_SECONDS)
            return heard
        except Exception as error:
            log.warning("listening_failed", pool=pool, error=type(error).__name__)
            self.resting_until = time.monotonic() + REST_SECONDS
            if heard is not None:
                _hang_up(heard)
            self._forget()
            return None

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


def _ear(pool: str) -> str:
    return f"awake:{pool}"


def _hang_up(heard: Any) -> None:
    try:
        heard.close()
    except Exception:
        log.debug("listener_not_closed")


class Lingering:
    """A worker that has done something stays over its pool for a while: whoever announces work there finds it awake.

    ``again`` says whether to look once more, ``leave`` ends the listening
    before long work is begun: a worker that is at it must not count as awake.
    """

    def __init__(self, pool: str, stopping: Callable[[], bool]) -> None:
        self.pool, self.stopping = pool, stopping
        self._heard: Any = None
        self._until = 0.0

    def again(self) -> bool:
        """False once nothing was announced for ``DRAIN_LINGER_SECONDS``, or there is nobody to listen to."""
        if self._heard is None:
            self.stay()
            self._heard = _publisher.listener(self.pool) if limits.value("DRAIN_LINGER_SECONDS") else None
            # What was enqueued before the listening began was announced to nobody.
            return self._heard is not None
        while (left := self._until - time.monotonic()) > 0 and not self.stopping():
            if self._says_something(min(left, LISTEN_SECONDS)):
                # One look answers all that was announced until now.
                while self._until and self._says_something(0):
                    continue
                return True
        return False

    def stay(self) -> None:
        """Something was done: from now on it waits as long again."""
        self._until = time.monotonic() + limits.value("DRAIN_LINGER_SECONDS")

    def leave(self) -> bool:
        """Whether something was announced that nobody has looked for yet."""
        if self._heard is None:
            return False
        try:
            return self._says_something(0)
        finally:
            _hang_up(self._heard)
            self._heard = None

    def _says_something(self, seconds: float) -> bool:
        try:
            message = self._heard.get_message(timeout=seconds)
        except Exception as error:
            log.warning("listening_failed", pool=self.pool, error=type(error).__name__)
            self._until = 0.0
            return True
        return message is not None and message["type"] == "message"


def after_commit(pool: str) -> None:
    """Wake ``pool`` once the open unit of work has committed."""
    unit.current().after_commit(("wake", pool), lambda: committed(pool))


def committed(pool: str) -> None:
    """Wake ``pool`` for what is committed already."""
    reach(Failpoint.BEFORE_WAKEUP)
    announce(pool)


def announce(pool: str) -> bool:
    """Whether a wake-up is on its way; false while the broker is left alone."""
    return _publisher.announce(str(pool))


def clear(pool: str) -> None:
    _publisher.clear(str(pool))
