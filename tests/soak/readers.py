"""Readers: each follows streams by the live socket, goes on from its cursor after every break, and says what it saw."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from tests.engines.visitor import Visitor
from tests.soak.history import History

LOOK_SECONDS = 0.5
NEW = "-:0"


class Reader(threading.Thread):
    """``follow`` adds a stream, from its beginning. ``number`` is the last one seen of each."""

    def __init__(self, name: str, history: History, visitor: Visitor, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.history = History(history.path, name)
        self.visitor = visitor
        self.cursors: dict[str, str] = {}
        self.events = 0
        self.breaks = 0
        self.trouble: list[str] = []
        self._chance = random.Random(seed)
        self._wanted: set[str] = set()
        self._over = threading.Event()

    def follow(self, stream: str) -> None:
        self._wanted.add(stream)

    def number(self, stream: str) -> int:
        return int(self.cursors.get(stream, NEW).partition(":")[2])

    def stop(self) -> None:
        self._over.set()
        self.join(10)

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with self.visitor.socket() as socket:
                    self._read(socket)
            except (OSError, WebSocketException, EOFError):
                self.breaks += 1
                time.sleep(self._chance.uniform(0.2, 1))
            except Exception as problem:
                self.trouble.append(f"{self.name}: {type(problem).__name__}: {problem}")
                time.sleep(1)

    def _read(self, socket: ClientConnection) -> None:
        followed: set[str] = set()
        heard = time.monotonic()
        while not self._over.is_set():
            for stream in sorted(self._wanted - followed):
                cursor = self.cursors.setdefault(stream, NEW)
                socket.send(json.dumps({"type": "follow", "stream": stream, "cursor": cursor}))
                followed.add(stream)
            try:
                frame = json.loads(socket.recv(timeout=LOOK_SECONDS))
            except TimeoutError:
                if time.monotonic() - heard > 10:
                    # A web process that stands still says nothing and closes nothing.
                    raise OSError("the portal is silent") from None
                socket.send('{"type":"ping"}')
                continue
            heard = time.monotonic()
            self._note(frame)

    def _note(self, frame: dict[str, Any]) -> None:
        event = {"event": "read", "following": "following", "resync": "resync"}.get(frame["type"])
        if frame["type"] in {"error", "gone"}:
            self.trouble.append(f"{self.name}: {frame}")
        if event is None:
            return
        epoch, _, number = frame["cursor"].partition(":")
        stream = frame["stream"]
        self.history.write(event, reader=self.name, stream=stream, epoch=epoch, number=int(number))
        if event == "read":
            self.events += 1
        if event != "following":
            self.cursors[stream] = frame["cursor"]
