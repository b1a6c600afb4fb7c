"""Visitors who come at a pace of their own, whatever becomes of those before them, and try nothing twice."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import re
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.engines.visitor import Visitor

EVERY_SECONDS = 0.05
LOOK_SECONDS = 0.15
ANSWER_SECONDS = 20
# A connection that was quiet for longer is not used again: its server may be closing it at that moment.
KEPT_SECONDS = 1.0
_FILE = re.compile(r'"(/static/[^"]+)"')


@dataclass(slots=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


@dataclass(slots=True)
class Traffic:
    """Twenty requests a second on one address, of one kind after the other.

    ``failed`` has everything that was not answered as it should be; ``acknowledged`` what was written, by kind.
    """

    host: str
    port: int
    visitor: Visitor
    token: str
    ticket: str
    project: str
    failed: list[str] = field(default_factory=list)
    acknowledged: dict[str, list[str]] = field(default_factory=lambda: {"message": [], "ticket": []})
    asked: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    # those that answered somebody who looks on, in the order of the answers
    commits: list[str] = field(default_factory=list)
    _files: set[str] = field(default_factory=set)
    _kept: list[tuple[float, http.client.HTTPConnection]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        self._page()
        self._threads = [threading.Thread(target=self._come), threading.Thread(target=self._look_on)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for _, connection in self._kept:
            connection.close()

    @property
    def figures(self) -> str:
        worst, ordered = max(self.seconds), sorted(self.seconds)
        return (
            f"{sum(self.asked.values())} requests ({dict(sorted(self.asked.items()))}), {len(self.failed)} failed,"
            f" median {ordered[len(ordered) // 2] * 1000:.0f} ms, worst {worst * 1000:.0f} ms"
        )

    def _come(self) -> None:
        kinds: list[Callable[[], None]] = [
            *(self._page, self._message, self._file, self._api, self._form),
            *(self._page, self._file, self._message, self._api, self._page),
        ]
        due = time.monotonic()
        with ThreadPoolExecutor(24) as pool:
            for kind in itertools.cycle(kinds):
                due += EVERY_SECONDS
                if self._over.wait(max(0.0, due - time.monotonic())):
                    return
                pool.submit(self._once, kind)

    def _look_on(self) -> None:
        """Ask for the commit, over connections that stay where they are until they are ended: no visitors of ours."""
        connections = [http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS) for _ in range(4)]
        for connection in itertools.cycle(connections):
            if self._over.wait(LOOK_SECONDS):
                break
            try:
                connection.request("GET", "/readyz")
                said = json.loads(connection.getresponse().read())
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
            else:
                self.commits += [said["commit"]] if said["status"] == "ready" else []
        for connection in connections:
            connection.close()

    def _once(self, kind: Callable[[], None]) -> None:
        try:
            kind()
        except Exception as problem:
            self.failed.append(f"{kind.__name__}: {type(problem).__name__}: {problem}")

    # What they do ----------------------------------------------------------

    def _page(self) -> None:
        answer = self._ask("page", "GET", "/tickets/", self._cookies())
        self._files.update(name for name in _FILE.findall(answer.body) if re.search(r"\.[0-9a-f]{12}\.\w+$", name))

    def _file(self) -> None:
        # Of any version's page: whoever answers has all of them.
        answer = self._ask("file", "GET", random.choice(sorted(self._files)), {})
        assert int(answer.headers["content-length"]) == len(answer.body.encode())

    def _api(self) -> None:
        found = json.loads(self._ask("api", "GET", f"/api/v1/tickets/{self.ticket}", self._bearer()).body)
        assert found["key"] == self.ticket

    def _message(self) -> None:
        text = f"message {random.getrandbits(64):x}"
        self.say(text)
        self.acknowledged["message"].append(text)

    def say(self, text: str) -> Answer:
        """Its text is its key too."""
        headers = {**self._bearer(), "Content-Type": "application/json", "Idempotency-Key": text.replace(" ", "-")}
        body = json.dumps({"body": text})
        return self._ask("message", "POST", f"/api/v1/tickets/{self.ticket}/messages", headers, body)

    def _form(self) -> None:
        title = f"ticket {random.getrandbits(64):x}"
        origin = f"http://{self.host}:{self.port}"
        fields = {"csrfmiddlewaretoken": self.visitor.token, "project": self.project, "title": title, "body": "x"}
        headers = {**self._cookies(), "Origin": origin, "Referer": f"{origin}/tickets/new/"}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self._ask("form", "POST", "/tickets/new/", headers, urllib.parse.urlencode(fields), status=302)
        assert "/tickets/" in answer.headers["location"]
        self.acknowledged["ticket"].append(title)

    # How they ask ----------------------------------------------------------

    def _cookies(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.visitor.cookies)}

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _ask(
        self, kind: str, method: str, path: str, headers: dict[str, str], body: str | None = None, status: int = 200
    ) -> Answer:
        self.asked[kind] += 1
        connection = self._connection()
        began = time.monotonic()
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except BaseException:
            connection.close()
            raise
        self.seconds.append(time.monotonic() - began)
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._kept.append((time.monotonic(), connection))
        if answer.status != status:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:200]}")
        return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})

    def _connection(self) -> http.client.HTTPConnection:
        """Every second one is new; the others go on with one that was left open."""
        with self._lock:
            while self._kept and random.random() < 0.5:
                at, connection = self._kept.pop()
                if time.monotonic() - at < KEPT_SECONDS:
                    return connection
                connection.close()
        return http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS)


class Follower(threading.Thread):
    """Follows one stream as the client script does: closed with 1012 it is back at once, at its cursor."""

    def __init__(self, visitor: Visitor, stream: str, cursor: str) -> None:
        super().__init__(daemon=True)
        self.visitor, self.stream, self.cursor = visitor, stream, cursor
        self.first = int(cursor.partition(":")[2])
        self.numbers: list[int] = []
        self.codes: list[int] = []
        self.trouble: list[str] = []
        self._over = threading.Event()

    def stop(self) -> None:
        self._over.set()
        self.join(10)

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with self.visitor.socket() as socket:
                    socket.send(json.dumps({"type": "follow", "stream": self.stream, "cursor": self.cursor}))
                    while not self._over.is_set():
                        self._hear(socket)
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else 1006)
                time.sleep(random.uniform(0, 0.5))
            except (OSError, WebSocketException) as problem:
                self.trouble.append(f"{type(problem).__name__}: {problem}")
                time.sleep(0.5)

    def _hear(self, socket: Any) -> None:
        try:
            frame = json.loads(socket.recv(timeout=0.2))
        except TimeoutError:
            return
        if frame["type"] == "event":
            self.numbers.append(int(frame["cursor"].partition(":")[2]))
            self.cursor = frame["cursor"]
        elif frame["type"] in {"resync", "gone", "error"}:
            self.trouble.append(str(frame))
