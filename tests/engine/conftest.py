"""A stack of real processes over the database of the test: broker, workers, beat."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.site.launching import valkey
from tests.engines import children, postgresql

ROOT = Path(__file__).resolve().parent.parent.parent
LIMITS = {
    "LEASE_SECONDS": "6",
    "HEARTBEAT_SECONDS": "2",
    "LEASE_MARGIN_SECONDS": "2",
    "LOOK_INTERVAL_SECONDS": "2",
    "TICK_INTERVAL_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "1",
    "GRACEFUL_STOP_SECONDS": "10",
}
Process = subprocess.Popen[bytes]


class Stack:
    """Processes that share a database, a broker of their own, and short limits. All end with the test."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.socket = folder, folder / "v.sock"
        self.log = folder / "log"
        self.broker: Process | None = None
        self.processes: list[Process] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "TEST_"))},
            **LIMITS,
            "DATABASE_URL": database_url,
            "REDIS_URL": f"unix://{self.socket}",
            "DATA_DIR": str(folder / "data"),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "LOG_PLAIN": "1",
        }

    def start_broker(self) -> None:
        argv = valkey.arguments(self.folder, self.socket)
        self.broker = children.start(argv, log=self.folder / "broker.log")
        children.wait_for("Valkey", lambda: valkey.answers(self.socket), seconds=10, process=self.broker)

    def kill_broker(self) -> None:
        assert self.broker is not None
        children.end(self.broker, signal.SIGKILL)
        self.broker = None

    def flush_broker(self) -> None:
        import redis

        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()

    def worker(self, pool: str = "short") -> Process:
        number = len(self.processes)
        argv = [sys.executable, "-m", "celery", "--quiet", "-A", "portal.celery", "worker", "-Q", pool]
        argv += ["-n", f"{pool}{number}@%h", "--pool", "solo", "--include", "tests.engine.kinds"]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self._start(argv)

    def beat(self) -> Process:
        argv = [sys.executable, "-m", "celery", "--quiet", "-A", "portal.celery", "beat"]
        return self._start([*argv, "--scheduler", "celery.beat:Scheduler"])

    def run(self, module: str, *arguments: str) -> Process:
        return self._start([sys.executable, "-m", module, *arguments])

    def _start(self, argv: list[str]) -> Process:
        process = children.start(argv, log=self.log, cwd=ROOT, env=self.environment)
        self.processes.append(process)
        return process

    def wait(self, what: str, ready: Callable[[], object], seconds: float = 30) -> None:
        """Poll; on a timeout the end of the processes' log is shown."""
        try:
            children.wait_for(what, ready, seconds=seconds)
        except RuntimeError as late:
            said = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
            raise AssertionError(f"{late}\n{said}") from None

    def said(self, words: str) -> int:
        """How often the processes have logged ``words``."""
        return self.log.read_text(errors="replace").count(words)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGKILL)
        for process in [*self.processes, *([self.broker] if self.broker else [])]:
            children.end(process, signal.SIGKILL)


@pytest.fixture
def stack(transactional_db: None, short_folder: Path, database_url: str) -> Iterator[Stack]:
    from django.conf import settings
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    url = postgresql.database_url(database_url, name) if settings.ENGINE == "postgresql" else f"sqlite:///{name}"
    made = Stack(short_folder, url)
    yield made
    made.stop()


@pytest.fixture(scope="session", autouse=True)
def _kinds_here() -> None:
    """The test enqueues what the workers run, so it knows the same kinds."""
    import tests.engine.kinds  # noqa: F401


@pytest.fixture
def ready(stack: Stack) -> Callable[..., list[Any]]:
    """Start workers (``short=2, turns=1``) and wait until each has said that it is there."""
    from workers.models import Worker

    def start(**pools: int) -> list[Any]:
        before = Worker.objects.count()
        made = [stack.worker(pool) for pool, number in pools.items() for _ in range(number)]
        stack.wait("workers", lambda: Worker.objects.count() >= before + len(made), 60)
        return made

    return start


@pytest.fixture(autouse=True)
def _no_leftovers(short_folder: Path) -> Iterator[None]:
    yield
    shutil.rmtree(short_folder, ignore_errors=True)
