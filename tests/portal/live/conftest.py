"""Real sockets: uvicorn as a process on the database of the tests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.engines import children, postgresql

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Server:
    port: int
    process: Any
    start: Callable[[], Any]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        self.process = self.start()


class Client:
    """One socket, and what it heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    def say(self, **frame: Any) -> None:
        self.socket.send(json.dumps(frame))

    def follow(self, stream: str, cursor: str | None = None) -> dict[str, Any]:
        """Follow, and answer with the frame that answers."""
        self.say(type="follow", stream=stream, cursor=cursor)
        return self.next("following", "resync", "error", stream=stream)

    def next(self, *types: str, seconds: float = 10, **fields: Any) -> dict[str, Any]:
        """The next frame of one of these types; others are kept in ``heard``."""
        deadline = time.monotonic() + seconds
        while True:
            frame: dict[str, Any] = json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            self.heard.append(frame)
            if frame["type"] in types and all(frame.get(name) == value for name, value in fields.items()):
                return frame

    def numbers(self, until: int, seconds: float = 20, kind: str = "event") -> list[int]:
        """Numbers of the frames of ``kind`` up to ``until``."""
        found: list[int] = []
        while not found or found[-1] < until:
            found.append(number(self.next(kind, seconds=seconds)))
        return found

    def quiet(self, seconds: float) -> list[dict[str, Any]]:
        """What comes within this time, beats left out."""
        frames: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                frame = json.loads(self.socket.recv(timeout=left))
                if frame["type"] != "beat":
                    frames.append(frame)
        except TimeoutError:
            pass
        return frames

    def closed(self, seconds: float = 15) -> int:
        """The code with which the server closes."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.heard.append(json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic()))))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def number(frame: dict[str, Any]) -> int:
    return int(frame["cursor"].partition(":")[2])


@pytest.fixture(scope="module")
def serve(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """A factory of servers, one for each set of settings. They never rest, so they end with the module."""
    running: dict[str, Server] = {}

    def start(**settings: str) -> Server:
        key = json.dumps(settings, sort_keys=True)
        if key not in running:
            running[key] = _start(tmp_path_factory.mktemp("server"), settings)
        return running[key]

    yield start
    for server in running.values():
        assert children.end(server.process) in (0, -15)


def database_url() -> str:
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return postgresql.database_url(os.environ["DATABASE_URL"], name)


def _start(folder: Path, settings: dict[str, str]) -> Server:
    port = postgresql.free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "ORIGINS": f"http://127.0.0.1:{port}",
        "LIVE_RIGHTS_SECONDS": "1",
        "SOCKET_SEND_SECONDS": "2",
        "TEST_LAYER": "",
        **settings,
    }
    argv = [sys.executable, "-m", "uvicorn", "tests.portal.live.asgi:application", "--port", str(port)]
    argv += ["--ws", "websockets-sansio", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"]
    argv += ["--no-access-log", "--timeout-graceful-shutdown", "5", "--lifespan", "off"]

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def begin() -> Any:
        process = children.start(argv, log=folder / "log", cwd=ROOT, env=environment)
        children.wait_for("the live server", answers, process=process)
        return process

    return Server(port, begin(), begin)


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture
def person(transactional_db: None) -> Callable[..., tuple[Any, str]]:
    """Makes a person with roles in teams, signed in: the account and its session key."""

    def make(email: str = "ada@example.org", **teams: int) -> tuple[Any, str]:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import Group

        user = get_user_model().objects.create_user(email)
        for name, role in teams.items():
            user.groups.add(Group.objects.get_or_create(name=f"team:{name.removeprefix('t')}:{role}")[0])
        return user, sign_in(user)

    return make


def sign_in(user: Any) -> str:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


@pytest.fixture
def dial() -> Iterator[Callable[..., Client]]:
    """Opens sockets, and closes them after the test."""
    opened = contextlib.ExitStack()

    def connected(server: Server, session: str | None, **options: Any) -> Client:
        from django.conf import settings

        options.setdefault("origin", server.origin)
        headers = dict(options.pop("headers", {}))
        if session is not None:
            headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={session}"
        path = options.pop("path", "/ws/live/")
        options |= {"compression": None, "proxy": None, "open_timeout": 10, "close_timeout": 1}
        dialled = connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, **options)
        return Client(opened.enter_context(dialled))

    with opened:
        yield connected


@pytest.fixture
def announce(transactional_db: None) -> Callable[..., None]:
    """Commits events on streams: ``announce("room:1.a", 3)`` three, each in its own transaction."""
    from portal.core.unit import Pointer, unit_of_work

    def commit(stream: str, count: int = 1, together: bool = False) -> None:
        for start in range(1) if together else range(count):
            with unit_of_work() as unit:
                for n in range(count if together else 1):
                    unit.announce(stream, Pointer("message", f"{stream}#{start + n}", n))

    return commit
