"""A web process as a row: the migrate step sees who runs beside it.

Said at its start and then as often as workers say it, by a task of the server
itself; a database that does not answer is asked again the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error, connection

import portal
from portal.core import clock, limits
from portal.core.clock import Wall
from portal.core.guard import manifest
from portal.core.models import WebProcess

logger = logging.getLogger("portal.core.guard")


def process_name(role: str) -> str:
    """Unique per process life: a pid may come again, the moment does not."""
    with open("/proc/self/stat", encoding="ascii") as stat:
        started = stat.read().rpartition(")")[2].split()[19]
    return f"{role}@{settings.WORKER_HOST[:60]}:{os.getpid()}:{started}"


def say() -> None:
    """This process is here. Raises ``Error``."""
    name = process_name("web")
    if WebProcess.objects.filter(name=name).update(seen_at=Wall()):
        return
    WebProcess.objects.create(
        name=name,
        host=settings.WORKER_HOST,
        pid=os.getpid(),
        version=portal.__version__,
        schema=manifest.load(connection.vendor).structure.fingerprint(),
    )


def leave() -> None:
    """This process ends. Raises ``Error``."""
    WebProcess.objects.filter(name=process_name("web")).delete()


def forget_old() -> int:
    """Delete rows of processes that have not been seen for a day; returns how many."""
    return WebProcess.objects.filter(seen_at__lt=clock.now() - timedelta(days=1)).delete()[0]


async def stay() -> None:
    """Say it again and again, until cancelled; then that it ends."""
    try:
        while True:
            await _told(say)
            await asyncio.sleep(limits.value("HEARTBEAT_SECONDS"))
    finally:
        await _told(leave)


async def _told(what: Callable[[], None]) -> None:
    def tell() -> None:
        try:
            with contextlib.closing(connection):
                what()
        except Error as error:
            logger.info("web cannot say that it is here: %s", type(error).__name__)

    # A thread of its own: it may wait for a database that does not answer.
    await sync_to_async(tell, thread_sensitive=False)()
