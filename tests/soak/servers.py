"""PostgreSQL and Valkey of the soak, which can be broken and brought back in their old place."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import redis

from portal.site.launching import valkey as programs
from tests.engines import children, postgresql, valkey


class Store:
    """A Valkey. What it held is gone after ``kill``, as with a store that keeps no file."""

    def __init__(self, server: valkey.Valkey) -> None:
        self.server = server
        self.url = server.url

    def kill(self) -> None:
        children.end(self.server.process, signal.SIGKILL)

    def start(self) -> None:
        argv, socket = self.server.process.args, self.server.directory / "valkey.sock"
        self.server.process = children.start(argv, log=self.server.directory / "log")  # type: ignore[arg-type]
        children.wait_for("Valkey", lambda: programs.answers(socket), process=self.server.process)

    def signal(self, number: int) -> None:
        self.server.process.send_signal(number)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


class Database:
    """A PostgreSQL server, and the one database of it that the portal uses."""

    def __init__(self, server: postgresql.PostgreSQL, url: str) -> None:
        self.server, self.url = server, url

    def restart_at_once(self) -> None:
        """SIGQUIT: every session is dropped, nothing is written down; the next start recovers from the log."""
        process = self.server.process
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
        owner = self.server.directory.stat()
        account: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": [], "cwd": self.server.directory}
        argv: list[str] = process.args  # type: ignore[assignment]
        self.server.process = children.start(
            argv, stop_signal=signal.SIGINT, log=self.server.directory / "log", **account
        )
        children.wait_for("PostgreSQL", self.answers, process=self.server.process)

    def end_sessions(self) -> int:
        """How many there were."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        return int(row[0]) if row else 0

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def deadlocks(self) -> int:
        """By the server's own log, which outlives the counters that a crash sets back; and by those."""
        said = (self.server.directory / "log").read_text(errors="replace").count("deadlock detected")
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            row = connection.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchone()
        return max(said, int(row[0] or 0) if row else 0)


def environment(folder: Path, store: str, database: str) -> dict[str, str]:
    """What the settings of the soak's own process, and then of all of the portal's, are read from."""
    return {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database,
        "REDIS_URL": store,
        "DATA_DIR": str(folder / "data"),
        "EMAIL_URL": "memorymail://",
        "DEBUG": "0",
        "LOG_PLAIN": "1",
        "PYTHONHASHSEED": "0",
    }


def is_running(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None
