"""Hints: "look at these streams now", through the channel layer.

A hint may be lost, doubled or late: who follows a stream also looks every
``LIVE_POLL_SECONDS``. So nothing here may fail or delay its caller.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)

GROUP: Final = "hints"
SEND_SECONDS: Final = 0.8
QUIET_SECONDS: Final = 5.0
REJOIN_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 5.0
# Beyond this a hint names nothing and means "look at all".
MOST_NAMES: Final = 200

Hinted = Callable[[Collection[str]], None]
_here: set[Hinted] = set()
_process: Final = secrets.token_hex(4)


def tell_here(listener: Hinted) -> None:
    """Hand what this process sends to ``listener`` too, in the sender's thread: that takes no broker."""
    _here.add(listener)


def stop_telling(listener: Hinted) -> None:
    _here.discard(listener)


def send(names: Collection[str]) -> None:
    """Hint at streams. Never raises; blocks for at most about a second, and after a failure not at all for a while."""
    for listener in tuple(_here):
        listener(names)
    _sender.send(names)


def _origin() -> str:
    return f"{_process}-{os.getpid()}"


class _Sender:
    """One private event loop per process, run by whichever thread sends: its connection to the broker stays open.

    ``async_to_sync`` would make a loop and a connection for every hint of a worker.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._quiet_until = 0.0

    def send(self, names: Collection[str]) -> None:
        if time.monotonic() < self._quiet_until or _inside_a_loop():
            return
        # A hint that is being sent for a second now means a broker that hangs: not worth a queue of threads.
        if not self._lock.acquire(timeout=SEND_SECONDS / 4):
            return
        try:
            if time.monotonic() >= self._quiet_until:
                self._run(names)
        except Exception as problem:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("no live hint for %d s: %s: %s", QUIET_SECONDS, type(problem).__name__, problem)
        finally:
            self._lock.release()

    def _run(self, names: Collection[str]) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        if self._loop is None or self._pid != os.getpid():
            # After a fork the parent's loop and its connection are the parent's.
            self._loop, self._pid = asyncio.SelectorEventLoop(), os.getpid()
        message = {
            "type": "live.hint",
            "names": list(names) if len(names) <= MOST_NAMES else [],
            "origin": _origin(),
        }
        self._loop.run_until_complete(asyncio.wait_for(layer.group_send(GROUP, message), SEND_SECONDS))


_sender: Final = _Sender()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def listen(hinted: Hinted) -> None:
    """Hand hints of other processes to ``hinted``, for ever. An empty hint means all streams.

    The subscription is made anew every hour and after each error: group
    memberships expire, and a layer may forget us without a word.
    """
    layer = get_channel_layer()
    if layer is None:
        return
    while True:
        try:
            await _listen_once(layer, hinted)
        except Exception as problem:
            log.info("no live hints: %s: %s", type(problem).__name__, problem)
            await asyncio.sleep(RETRY_SECONDS)


async def _listen_once(layer: Any, hinted: Hinted) -> None:
    # A probe first: a subscription that fails half-way leaves a queue behind in the layer, each time.
    await asyncio.wait_for(layer.group_send(GROUP, {"type": "live.hint", "names": ["-"], "origin": _origin()}), 2)
    channel = await asyncio.wait_for(layer.new_channel("live"), 5)
    try:
        await asyncio.wait_for(layer.group_add(GROUP, channel), 5)
        # What was sent before we listened is unknown to us.
        hinted(())
        async with asyncio.timeout(REJOIN_SECONDS):
            while True:
                message = await layer.receive(channel)
                if message.get("origin") != _origin():
                    hinted(message.get("names") or ())
    except TimeoutError:
        pass
    finally:
        await asyncio.wait_for(layer.group_discard(GROUP, channel), 2)
