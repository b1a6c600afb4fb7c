"""Real processes of an installation, on a database of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.test import override_settings

from portal.site.launching import commands, doors
from tests.engines import children, leaks, postgresql, template
from tests.engines.nursery import Forked, Nursery

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "SHIPROOM_TEST_STACK"
# Everything that a test would wait for, as short as the rules between the limits allow.
FAST = {
    "LEASE_SECONDS": "6",
    "HEARTBEAT_SECONDS": "2",
    "LEASE_MARGIN_SECONDS": "2",
    "LOOK_INTERVAL_SECONDS": "2",
    "TICK_INTERVAL_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "1",
    "GRACEFUL_STOP_SECONDS": "10",
}


@dataclass(slots=True)
class Running:
    """A process of the stack. ``log`` is what it has written."""

    name: str
    process: subprocess.Popen[bytes] | Forked
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self, seconds: float = 20) -> int:
        return children.end(self.process, seconds=seconds)

    def kill(self) -> None:
        """SIGKILL to the main process alone, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class Stack:
    """Starts web, workers and beat as the product does. ``base_url`` is where web answers."""

    folder: Path
    environment: dict[str, str]
    port: int
    running: list[Running] = field(default_factory=list)
    # of Celery's processes that have the stack's own environment; there from the first of them on
    nursery: Nursery | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def web(self, **environment: str) -> Running:
        found = self._start("web", self.web_argv(), self.web_environment() | environment)
        children.wait_for("web", self.answers, seconds=60, process=found.process)
        return found

    def web_argv(self) -> list[str]:
        # Pages name their files by the manifest of what was collected; once in a run is enough.
        if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
            self.manage("collectstatic", "--no-input", "--verbosity", "0")
        with override_settings(HOST="127.0.0.1", PORT=self.port):
            return commands.web()

    def web_environment(self) -> dict[str, str]:
        return {**self.environment, "PORT": str(self.port), "DATABASE_POOL_SIZE": "4"}

    def worker(self, pool: str, number: int = 1, **environment: str) -> Running:
        """A worker; returns once its row says that it is there."""
        from workers.models import Worker

        found = self._start(f"{pool}{number}", commands.worker(pool, number), environment)
        ready = Worker.objects.filter(pid=found.pid, state=Worker.State.ALIVE).exists
        children.wait_for(found.name, ready, seconds=60, process=found.process)
        return found

    def beat(self, **environment: str) -> Running:
        return self._start("beat", commands.beat(), environment)

    def everything(self) -> None:
        """Web, one worker of each pool, beat."""
        self.web()
        for pool in commands.POOLS:
            self.worker(pool)
        self.beat()

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: code {done.returncode}: {done.stderr[-2000:]}")
        return done

    def answers(self) -> bool:
        return doors.http_status("127.0.0.1", self.port, "/livez", f"127.0.0.1:{self.port}") == 200

    def stop(self) -> None:
        for found in reversed(self.running):
            found.process.terminate()
        for found in reversed(self.running):
            found.stop()
        self.running.clear()
        if self.nursery is not None:
            self.nursery.stop()
            self.nursery = None

    def spawn(self, log: Path, argv: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """A process that whoever calls this ends."""
        return children.start(argv, log=log, env=dict(environment), cwd=ROOT)

    def _start(self, name: str, argv: list[str], environment: Mapping[str, str]) -> Running:
        log = self.folder / f"{name}-{len(self.running)}.log"
        process: Any
        if argv[1:3] == ["-m", "celery"] and not environment:
            self.nursery = self.nursery or Nursery(self.environment, self.folder / "nursery.log")
            process = self.nursery.start(argv, log)
        else:
            process = self.spawn(log, argv, {**self.environment, **environment})
        found = Running(name, process, log)
        self.running.append(found)
        return found


@contextlib.contextmanager
def opened(folder: Path, database_url: str, **overrides: str) -> Iterator[Stack]:
    """A stack on ``database_url``; this process's ORM speaks to the same database meanwhile.

    On leaving, everything is stopped; a process that is still there is an error.
    """
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    port = postgresql.free_port()
    environment = {**os.environ, **FAST, "DATABASE_URL": database_url, "REDIS_URL": settings.REDIS_URL}
    environment |= {"BASE_URL": f"http://127.0.0.1:{port}", "PORT": str(port), MARK: mark, **overrides}
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
    _flush(settings.REDIS_URL)
    _forget_work(Path(overrides.get("DATA_DIR", settings.DATA_DIR)))
    stack = Stack(folder, environment, port)
    try:
        with _speaking_to(database_url):
            yield stack
    finally:
        stack.stop()
        _flush(settings.REDIS_URL)
        leaks.expect_none(MARK, mark)


def _forget_work(data: Path) -> None:
    """What another stack worked on lies under names that this one gives again: a fresh database counts from 1."""
    for name in ("clones", "workspaces", "homes", "landing", "deployments", "spools"):
        shutil.rmtree(data / name, ignore_errors=True)


@contextlib.contextmanager
def _speaking_to(database_url: str) -> Iterator[None]:
    """All connections of this process go to that database: they share one dictionary of settings."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = template.name_of(database_url)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _flush(url: str) -> None:
    with redis.Redis.from_url(url) as store:
        store.flushall()
