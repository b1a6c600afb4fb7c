"""Celery's consumer, taught to look for work while its broker is away.

Celery waits for its broker inside ``ensure_connection`` and fires no timer
meanwhile, so a worker would stand idle over due jobs for as long as the
broker is down. The callback of that wait, called every second, looks instead.
"""

from __future__ import annotations

import time
from typing import Any

from celery import signals
from celery.worker.consumer import Consumer
from kombu import Connection

from portal.core import limits
from workers import process
from workers.models import Pool

# A broker that hangs holds the worker, and its looks, for as long as an answer is waited for.
ANSWER_SECONDS = 3


class PatientConsumer(Consumer):
    def connection_for_read(self, heartbeat: float | None = None) -> Connection:
        conn = self.app.connection_for_read(heartbeat=heartbeat)
        conn.transport_options = {**(conn.transport_options or {}), "socket_timeout": ANSWER_SECONDS}
        return self.ensure_connected(conn)

    def ensure_connected(self, conn: Connection) -> Connection:
        ensure = conn.ensure_connection

        def patiently(errback: Any, max_retries: Any, callback: Any) -> Any:
            def between_tries() -> None:
                callback()
                _begin(self.app)
                _look_if_due()

            return ensure(errback, max_retries, callback=between_tries)

        # On this one connection, and only while it is made.
        vars(conn)["ensure_connection"] = patiently
        try:
            return super().ensure_connected(conn)
        finally:
            del vars(conn)["ensure_connection"]


_looked_at = time.monotonic()


def _begin(app: Any) -> process.WorkerProcess:
    """Once per process: with the broker at hand, or without it where it is down from the start."""
    queues = app.amqp.queues.consume_from
    return process.current() or process.begin(next((pool for pool in Pool if pool in queues), Pool.SHORT))


def _look_if_due() -> None:
    global _looked_at
    worker = process.current()
    if worker is None or time.monotonic() - _looked_at < limits.value("LOOK_INTERVAL_SECONDS"):
        return
    worker.look()
    _looked_at = time.monotonic()


@signals.worker_ready.connect(dispatch_uid="workers.consumer.ready")
def _ready(sender: Any, **_: Any) -> None:
    worker = _begin(sender.app)
    sender.timer.call_repeatedly(limits.value("LOOK_INTERVAL_SECONDS"), _look_if_due_by_timer)
    sender.timer.call_after(0, worker.look)


def _look_if_due_by_timer() -> None:
    global _looked_at
    worker = process.current()
    if worker is not None:
        worker.look()
        _looked_at = time.monotonic()


@signals.worker_shutdown.connect(dispatch_uid="workers.consumer.shutdown")
def _shutdown(**_: Any) -> None:
    worker = process.current()
    if worker is not None:
        worker.stop()
